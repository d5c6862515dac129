//! A workbook as spreadsheets open it (ECMA-376, Office Open XML): one table, gone on with on further
//! worksheets where one is full. Texts are texts: nothing in them is ever taken for a formula.

use super::Out;
use super::columns::{NAMES, is_number, rows};
use super::zip::Zip;
use serde::{Deserialize, Serialize};
use std::io;
use yunling_domain::cdr::CdrObject;

/// Rows of a worksheet, its head among them; spreadsheets take no more.
const MAX_ROWS: u32 = 1_048_576;
/// A worksheet is full as well when it has so many bytes: an archive's entry ends at 4 GiB.
const MAX_BYTES: u32 = 3 << 30;
/// Characters of a cell, as UTF-16 counts them; spreadsheets take no more.
const MAX_CELL: usize = 32_767;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";

/// A workbook in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::exports) struct Workbook {
    zip: Zip,
    sheets: u32,
    /// Of the worksheet, its head among them.
    rows: u32,
}

impl Workbook {
    pub(super) fn begin(out: &mut Out) -> io::Result<Self> {
        let mut workbook = Self { zip: Zip::default(), sheets: 0, rows: 0 };
        workbook.begin_sheet(out)?;
        Ok(workbook)
    }

    pub(super) fn write(&mut self, out: &mut Out, records: &[CdrObject]) -> io::Result<()> {
        let mut text = String::new();
        for row in records.iter().flat_map(rows) {
            let is_full = self.rows >= MAX_ROWS
                || self.zip.plain() as usize + text.len() >= MAX_BYTES as usize;
            if is_full {
                self.zip.write(out, text.as_bytes())?;
                text.clear();
                self.end_sheet(out)?;
                self.begin_sheet(out)?;
            }
            push_row(&mut text, &row, is_number);
            self.rows += 1;
        }
        if text.is_empty() { Ok(()) } else { self.zip.write(out, text.as_bytes()) }
    }

    /// Ends the worksheet, and writes what names them all.
    pub(super) fn end(&mut self, out: &mut Out) -> io::Result<()> {
        self.end_sheet(out)?;
        for (name, text) in self.frame() {
            self.zip.begin(out, name)?;
            self.zip.write(out, text.as_bytes())?;
            self.zip.end(out)?;
        }
        self.zip.finish(out)
    }

    fn begin_sheet(&mut self, out: &mut Out) -> io::Result<()> {
        self.sheets += 1;
        self.rows = 1;
        self.zip.begin(out, &format!("xl/worksheets/sheet{}.xml", self.sheets))?;
        let mut text = format!("{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetData>");
        push_row(&mut text, &NAMES, |_| false);
        self.zip.write(out, text.as_bytes())
    }

    fn end_sheet(&mut self, out: &mut Out) -> io::Result<()> {
        self.zip.write(out, b"</sheetData></worksheet>")?;
        self.zip.end(out)
    }

    fn frame(&self) -> [(&'static str, String); 4] {
        let each = |one: fn(u32) -> String| (1..=self.sheets).map(one).collect::<String>();
        let names = each(|n| format!("<sheet name=\"CDR {n}\" sheetId=\"{n}\" r:id=\"rId{n}\"/>"));
        let parts = each(|n| {
            format!(
                "<Override PartName=\"/xl/worksheets/sheet{n}.xml\" ContentType=\"application/vnd.\
                 openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
            )
        });
        let relations = each(|n| {
            format!(
                "<Relationship Id=\"rId{n}\" Type=\"{RELATIONS}/worksheet\" \
                 Target=\"worksheets/sheet{n}.xml\"/>"
            )
        });
        [
            (
                "xl/workbook.xml",
                format!(
                    "{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\">\
                     <sheets>{names}</sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">\
                     {relations}</Relationships>"
                ),
            ),
            (
                "_rels/.rels",
                format!(
                    "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship \
                     Id=\"rId1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/>\
                     </Relationships>"
                ),
            ),
            (
                "[Content_Types].xml",
                format!(
                    "{HEAD}<Types xmlns=\"{PACKAGE}/content-types\">\
                     <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-\
                     package.relationships+xml\"/>\
                     <Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.\
                     openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>{parts}</Types>"
                ),
            ),
        ]
    }
}

fn push_row(to: &mut String, fields: &[&str], is_number: impl Fn(usize) -> bool) {
    to.push_str("<row>");
    for (column, field) in fields.iter().enumerate() {
        if field.is_empty() {
            to.push_str("<c/>");
        } else if is_number(column) && field.bytes().all(|byte| byte.is_ascii_digit()) {
            to.push_str("<c><v>");
            to.push_str(field);
            to.push_str("</v></c>");
        } else {
            to.push_str("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">");
            push_text(to, field);
            to.push_str("</t></is></c>");
        }
    }
    to.push_str("</row>");
}

/// What XML cannot hold is written as spreadsheets do (ECMA-376 part 1, 22.9.2.19 ST_Xstring).
fn push_text(to: &mut String, text: &str) {
    let mut room = MAX_CELL;
    for letter in text.chars() {
        let Some(rest) = room.checked_sub(letter.len_utf16()) else { return };
        room = rest;
        match letter {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '\t' | '\n' => to.push(letter),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                to.push_str(&format!("_x{:04X}_", u32::from(letter)));
            }
            _ => to.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let cases = [
            ("=1+1", "=1+1"),
            ("a<b>&c", "a&lt;b&gt;&amp;c"),
            ("订单\u{1}", "订单_x0001_"),
            ("\r\n", "_x000D_\n"),
        ];
        for (text, written) in cases {
            let mut to = String::new();
            push_text(&mut to, text);
            assert_eq!(to, written);
        }
        let mut to = String::new();
        push_text(&mut to, &"𝄞".repeat(MAX_CELL));
        assert_eq!(to.chars().count(), MAX_CELL / 2);
    }

    #[test]
    fn only_digits_are_numbers() {
        let mut to = String::new();
        push_row(&mut to, &["7", "x", ""], |_| true);
        let text = "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">x</t></is></c>";
        assert_eq!(to, format!("<row><c><v>7</v></c>{text}<c/></row>"));
    }
}
