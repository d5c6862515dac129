//! The list of a campaign's numbers as it is uploaded: a CSV file with a head, a column of numbers,
//! and a column for each place of the contents. Every row is taken or comes back with its reason.

use std::collections::{BTreeSet, HashSet};

use super::contents::{CampaignContents, Variables};
use crate::Number;
use crate::contents::Content;
use crate::csv::{CsvError, CsvProblem, Record, Records};
use crate::parameter::{MAX_USERDATA_BYTES, userdata};

/// Heads of the column of numbers.
const NUMBER_HEADS: [&str; 6] = ["number", "to", "phone", "号码", "电话", "手机号"];
/// Head of the column that callbacks echo.
const USERDATA_HEAD: &str = "userdata";
/// Head of the column with the callee's area code.
const AREA_HEAD: &str = "area";
/// As much of a row as is given back with its reason, characters.
const SHOWN_CHARS: usize = 500;

/// One number of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The callee.
    pub number: Number,
    /// The row's texts for the places of the contents.
    pub variables: Variables,
    /// What the number's callbacks echo, instead of the campaign's own.
    pub userdata: Option<String>,
    /// The callee's area code.
    pub area: Option<String>,
}

/// A row that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The line of the file in which it begins, from 1.
    pub line: u32,
    /// What is wrong and what was expected.
    pub reason: String,
    /// The row, its fields with commas between; the beginning of a long one.
    pub row: String,
}

/// A list that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// In the order of the file, each number once.
    pub entries: Vec<Entry>,
    /// In the order of the file.
    pub rejected: Vec<RejectedRow>,
    /// How many rows named a number again; they are dropped, the first one counts.
    pub duplicates: u32,
}

/// A list that is not taken at all: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// There is no row.
    #[error("the file is empty: expected a line with the columns' names, and then the rows")]
    Empty,
    /// The head cannot be read.
    #[error(transparent)]
    Head(#[from] CsvError),
    /// No column is one of numbers.
    #[error("no column of numbers: expected one called {}", NUMBER_HEADS.join(", "))]
    NoNumbers,
    /// A column's name is there twice.
    #[error("two columns are called {0:?}")]
    SameName(String),
    /// The contents need a column that is not there.
    #[error("the contents need a column called {0:?}, which the file does not have")]
    NoColumn(String),
    /// More rows than a campaign may have.
    #[error("the file has more than {limit} rows")]
    TooLong {
        /// The most.
        limit: usize,
    },
}

/// Which column is what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    number: usize,
    userdata: Option<usize>,
    area: Option<usize>,
    /// Where the places of the contents are.
    places: Vec<(String, usize)>,
    count: usize,
}

impl Columns {
    /// By the file's head.
    ///
    /// # Errors
    /// [`RosterError`].
    pub fn of(head: &Record, places: &BTreeSet<&str>) -> Result<Self, RosterError> {
        let names: Vec<String> = head.fields.iter().map(|name| name.trim().to_owned()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !name.is_empty() && !seen.insert(*name)) {
            return Err(RosterError::SameName(twice.clone()));
        }
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let lower = |name: &String| NUMBER_HEADS.contains(&name.to_lowercase().as_str());
        let places = places.iter().map(|place| match find(place) {
            Some(column) => Ok(((*place).to_owned(), column)),
            None => Err(RosterError::NoColumn((*place).to_owned())),
        });
        Ok(Self {
            number: names.iter().position(lower).ok_or(RosterError::NoNumbers)?,
            userdata: find(USERDATA_HEAD),
            area: find(AREA_HEAD),
            places: places.collect::<Result<_, _>>()?,
            count: names.len(),
        })
    }

    fn entry(
        &self,
        record: &Record,
        contents: &CampaignContents,
        has_media: &impl Fn(&str) -> bool,
    ) -> Result<Entry, String> {
        let fields = &record.fields;
        if fields.len() > self.count {
            return Err(format!("expected {} fields, found {}", self.count, fields.len()));
        }
        let field = |column: usize| fields.get(column).map_or("", |field| field.trim());
        let given = |column: Option<usize>| {
            column.map(field).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let number = Number::parse_voice(field(self.number)).map_err(|error| error.to_string())?;
        let variables: Variables = self
            .places
            .iter()
            .map(|(place, column)| (place.clone(), field(*column).to_owned()))
            .collect();
        if let Some((name, _)) = variables.iter().find(|(_, text)| text.is_empty()) {
            return Err(format!("{name}: expected a text, found none"));
        }
        if holds_nul(fields) {
            return Err("a field holds the character NUL".to_owned());
        }
        let spec = contents.fill(&variables).map_err(|error| error.to_string())?;
        for (content, _) in &spec.contents {
            if let Content::Voice { name } = content
                && !has_media(name)
            {
                return Err(format!("the application's media library has no file {name:?}"));
            }
        }
        let echoed = given(self.userdata);
        if let Some(text) = &echoed {
            userdata(text)
                .map_err(|_| format!("userdata: expected at most {MAX_USERDATA_BYTES} bytes"))?;
        }
        let area = given(self.area);
        if let Some(area) = &area
            && !is_area(area)
        {
            return Err(format!("area: expected an area code such as 010 or 0571, found {area:?}"));
        }
        Ok(Entry { number, variables, userdata: echoed, area })
    }
}

/// PostgreSQL's texts have no place for it.
fn holds_nul(fields: &[String]) -> bool {
    fields.iter().any(|field| field.contains('\0'))
}

fn is_area(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits && text.starts_with('0') && matches!(text.len(), 3 | 4)
}

/// Reads a list. `has_media` says whether the application's media library has a file; `limit` is for
/// rows of all kinds.
///
/// # Errors
/// [`RosterError`]: not even its rows can be told apart. What is wrong with one row only is in
/// [`Roster::rejected`].
pub fn read(
    text: &str,
    contents: &CampaignContents,
    has_media: impl Fn(&str) -> bool,
    limit: usize,
) -> Result<Roster, RosterError> {
    let mut records = Records::of(text);
    let head = records.next().ok_or(RosterError::Empty)??;
    // Contents whose places cannot be read were refused when the campaign was made.
    let columns = Columns::of(&head, &contents.places().unwrap_or_default())?;
    let mut roster = Roster::default();
    let mut seen = HashSet::new();
    for (count, record) in records.enumerate() {
        if count == limit {
            return Err(RosterError::TooLong { limit });
        }
        let record = match record {
            Ok(record) => record,
            Err(CsvError { line, problem }) => {
                roster.rejected.push(unreadable(line, problem));
                continue;
            }
        };
        match columns.entry(&record, contents, &has_media) {
            Ok(entry) if seen.insert(entry.number.stored()) => roster.entries.push(entry),
            Ok(_) => roster.duplicates += 1,
            Err(reason) => {
                let row = record.fields.join(",").replace('\0', "\u{fffd}");
                let row = row.chars().take(SHOWN_CHARS).collect();
                roster.rejected.push(RejectedRow { line: record.line, reason, row });
            }
        }
    }
    Ok(roster)
}

fn unreadable(line: u32, problem: CsvProblem) -> RejectedRow {
    RejectedRow { line, reason: problem.to_string(), row: String::new() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Lang;
    use crate::campaign::ContentTemplate;

    fn contents() -> CampaignContents {
        let item = |kind: &str, content: &str| ContentTemplate {
            kind: kind.to_owned(),
            content: content.to_owned(),
            lang: Lang::Zh,
        };
        CampaignContents {
            contents: vec![item("voice", "{greeting}.wav"), item("money", "{金额}")],
            times: 1,
            finish_key: None,
            repeat_key: None,
            finish_voice: None,
        }
    }

    fn read_it(text: &str) -> Result<Roster, RosterError> {
        read(text, &contents(), |name| name == "hello.wav", 20)
    }

    #[test]
    fn every_row_is_taken_or_comes_back_with_its_reason() {
        let text = "\u{feff}姓名,手机号,greeting,金额,userdata,area\r\n\
            甲,138 0010 0001,hello,12.50,order-1,021\r\n\
            乙,+8613800100001,hello,1,,\r\n\
            丙,13800100002,hello,1\r\n\
            丁,95588,hello,1,,\r\n\
            戊,13800100003,goodbye,1,,\r\n\
            己,13800100004,hello,much,,\r\n\
            庚,13800100005,hello,,,\r\n\
            辛,13800100006,hello,1,,21\r\n\
            壬,13800100007,hello,1,,,more\r\n\
            癸,110,hello,1,,\r\n\
            \"子\"x,13800100008,hello,1,,\r\n";
        let roster = read_it(text).unwrap();
        let taken: Vec<&str> = roster.entries.iter().map(|entry| entry.number.national()).collect();
        assert_eq!(taken, ["13800100001", "13800100002"]);
        assert_eq!(roster.duplicates, 1);
        let first = &roster.entries[0];
        assert_eq!(first.variables["金额"], "12.50");
        assert_eq!(
            (first.userdata.as_deref(), first.area.as_deref()),
            (Some("order-1"), Some("021"))
        );
        assert_eq!(roster.entries[1].userdata, None);
        let reasons: Vec<(u32, &str)> =
            roster.rejected.iter().map(|row| (row.line, row.reason.as_str())).collect();
        let expected = [
            (5, "service"),
            (6, "no file \"goodbye.wav\""),
            (7, "contents[1]"),
            (8, "金额: expected a text"),
            (9, "area code"),
            (10, "expected 6 fields, found 7"),
            (11, ""),
            (12, "closing quote"),
        ];
        assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
        for ((line, reason), (expected_line, said)) in reasons.into_iter().zip(expected) {
            assert!(line == expected_line && reason.contains(said), "{line}: {reason}");
        }
        assert_eq!(roster.rejected[1].row, "戊,13800100003,goodbye,1,,");
    }

    #[test]
    fn a_file_that_is_none_is_refused_as_a_whole() {
        let long = format!("to,greeting,金额\n{}", "x\n".repeat(21));
        let cases = [
            ("", RosterError::Empty),
            ("name,greeting,金额\n", RosterError::NoNumbers),
            ("to,to,greeting,金额\n", RosterError::SameName("to".to_owned())),
            ("to,greeting\n", RosterError::NoColumn("金额".to_owned())),
            (long.as_str(), RosterError::TooLong { limit: 20 }),
        ];
        for (text, expected) in cases {
            assert_eq!(read_it(text), Err(expected), "{text:?}");
        }
        assert!(read_it("To,greeting,金额").unwrap().entries.is_empty());
    }
}
