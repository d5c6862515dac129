#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::World;
use crate::principal::{ReadCalls, SendNotices};
use yunling_domain::error_code::{BAD_NUMBER, NOT_FOUND};
use yunling_store::PageRequest;

const PAGE: PageRequest = PageRequest { after: None, limit: 10 };

#[tokio::test]
async fn numbers_go_onto_the_list_and_off_again_in_any_spelling() {
    let world = World::open().await;
    let (changing, reading) = (world.caller::<SendNotices>(), world.caller::<ReadCalls>());
    let app = &world.app;
    assert!(add::run(app, &changing, "138 0010 0001", " asked us by mail ").await.unwrap());
    assert!(!add::run(app, &changing, "+8613800100001", "again").await.unwrap());
    let found = list::run(app, &reading, Some("013800100001"), &PAGE).await.unwrap().rows;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].number.as_str(), found[0].note.as_str()),
        ("+8613800100001", "asked us by mail")
    );
    remove::run(app, &changing, "0086 13800100001").await.unwrap();
    let again = remove::run(app, &changing, "13800100001").await.unwrap_err();
    assert_eq!(again.code, NOT_FOUND);
    let none = add::run(app, &changing, "x", "").await.unwrap_err();
    assert_eq!((none.code, none.field.as_deref()), (BAD_NUMBER, Some("number")));
}

#[tokio::test]
async fn a_file_is_taken_line_by_line() {
    let world = World::open().await;
    let (changing, reading) = (world.caller::<SendNotices>(), world.caller::<ReadCalls>());
    let app = &world.app;
    add::run(app, &changing, "13800100001", "").await.unwrap();
    let mut file =
        String::from("number,note\n13800100001,x\n13800100002,\"by mail, twice\"\nabc\n");
    for n in 0..1_200 {
        file.push_str(&format!("139{n:08}\n"));
    }
    file.push_str("13900000000\n");
    let uploaded = upload::run(app, &changing, file.into_bytes().into()).await.unwrap();
    assert_eq!((uploaded.added, uploaded.known, uploaded.rejected), (1_201, 1, 2));
    assert_eq!(uploaded.reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 4]);
    let found = list::run(app, &reading, Some("13800100002"), &PAGE).await.unwrap().rows;
    assert_eq!(found[0].note, "by mail, twice");
    let refusal = upload::run(app, &changing, vec![0xb1, 0xb1].into()).await.unwrap_err();
    assert_eq!(refusal.field.as_deref(), Some("body"));
}
