//! Comma-separated values as RFC 4180 has them, and as spreadsheets write them: a byte order mark,
//! lines that end in LF alone, and empty lines are passed over.

/// The longest field that is read, bytes.
pub const MAX_FIELD_BYTES: usize = 4 * 1_024;
/// The most fields of a record.
pub const MAX_FIELDS: usize = 100;

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line of the file in which it begins, from 1.
    pub line: u32,
    /// Its fields, without their quotes.
    pub fields: Vec<String>,
}

/// A record that cannot be read: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CsvError {
    /// The line in which the record begins, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: CsvProblem,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsvProblem {
    /// The file ends inside of a quoted field.
    #[error("a quote is not closed")]
    OpenQuote,
    /// There is text behind a quoted field.
    #[error("expected a comma behind a closing quote")]
    TextBehindQuote,
    /// [`MAX_FIELD_BYTES`]
    #[error("a field is longer than {MAX_FIELD_BYTES} bytes")]
    LongField,
    /// [`MAX_FIELDS`]
    #[error("there are more than {MAX_FIELDS} fields")]
    ManyFields,
}

/// The records of a text, one after the other. After a record that cannot be read it goes on with the
/// next line; after [`CsvProblem::OpenQuote`] there is none.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Records<'a> {
    /// Of this text.
    pub fn of(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
    }

    /// Takes the line's end off, if it is next.
    fn take_end(&mut self) -> bool {
        let after = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
        if let Some(after) = after {
            self.rest = after;
            self.line += 1;
        }
        after.is_some()
    }

    fn skip_line(&mut self) {
        match self.rest.find('\n') {
            Some(end) => {
                self.rest = &self.rest[end + 1..];
                self.line += 1;
            }
            None => self.rest = "",
        }
    }

    fn field(&mut self) -> Result<String, CsvProblem> {
        let field = match self.rest.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted)?,
            None => {
                let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
                let (field, rest) = self.rest.split_at(end);
                self.rest = rest;
                match field.strip_suffix('\r') {
                    // The CR belongs to the line's end, which is looked for next.
                    Some(text) if rest.starts_with('\n') => text.to_owned(),
                    _ => field.to_owned(),
                }
            }
        };
        if field.len() > MAX_FIELD_BYTES {
            return Err(CsvProblem::LongField);
        }
        Ok(field)
    }

    /// A quoted field, from behind its opening quote on.
    fn quoted(&mut self, text: &'a str) -> Result<String, CsvProblem> {
        let mut field = String::new();
        let mut rest = text;
        loop {
            let Some(end) = rest.find('"') else {
                self.rest = "";
                return Err(CsvProblem::OpenQuote);
            };
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        let lines = field.matches('\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        let ends = rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n");
        if ends { Ok(field) } else { Err(CsvProblem::TextBehindQuote) }
    }

    fn record(&mut self) -> Result<Vec<String>, CsvProblem> {
        let mut fields = Vec::new();
        loop {
            if fields.len() == MAX_FIELDS {
                return Err(CsvProblem::ManyFields);
            }
            fields.push(self.field()?);
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.take_end();
        Ok(fields)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.take_end() {}
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        Some(match self.record() {
            Ok(fields) => Ok(Record { line, fields }),
            Err(problem) => {
                self.skip_line();
                Err(CsvError { line, problem })
            }
        })
    }
}

/// Appends a record with its line's end. A field that a spreadsheet would take for a formula is given
/// an apostrophe in front (OWASP, CSV injection), but for what only is a number with its sign.
pub fn push_record<'a>(to: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            to.push(',');
        }
        push_field(to, field);
    }
    to.push_str("\r\n");
}

fn push_field(to: &mut String, field: &str) {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let number = field.len() > 1 && field.as_bytes()[1..].iter().all(is_digit);
    let mark = if formula && !number { "'" } else { "" };
    if field.contains([',', '"', '\n', '\r']) {
        to.push('"');
        to.push_str(mark);
        to.push_str(&field.replace('"', "\"\""));
        to.push('"');
    } else {
        to.push_str(mark);
        to.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_are_read_as_spreadsheets_write_them() {
        // (text, records: line and fields)
        type Case = (&'static str, &'static [(u32, &'static [&'static str])]);
        let cases: [Case; 9] = [
            ("", &[]),
            ("\r\n\n", &[]),
            ("a,b\r\n1,2\r\n", &[(1, &["a", "b"]), (2, &["1", "2"])]),
            ("a,b\n1,2", &[(1, &["a", "b"]), (2, &["1", "2"])]),
            ("\u{feff}号码,金额\n\n1,\n", &[(1, &["号码", "金额"]), (3, &["1", ""])]),
            ("\"a,\"\"b\"\"\",\"x\ny\"\nz", &[(1, &["a,\"b\"", "x\ny"]), (3, &["z"])]),
            (",", &[(1, &["", ""])]),
            (" a , b ", &[(1, &[" a ", " b "])]),
            ("a\rb\n", &[(1, &["a\rb"])]),
        ];
        for (text, expected) in cases {
            let found: Vec<Record> = Records::of(text).map(Result::unwrap).collect();
            let expected: Vec<Record> = expected
                .iter()
                .map(|(line, fields)| Record {
                    line: *line,
                    fields: fields.iter().map(|field| (*field).to_owned()).collect(),
                })
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_costs_no_other() {
        let long = format!("a\n{}\nb", "x".repeat(MAX_FIELD_BYTES + 1));
        let many = format!("a\n{}\nb", ",".repeat(MAX_FIELDS));
        let cases = [
            ("a\n\"x\"y,1\nb", CsvProblem::TextBehindQuote, 2, true),
            (long.as_str(), CsvProblem::LongField, 2, true),
            (many.as_str(), CsvProblem::ManyFields, 2, true),
            ("a\n\"x,1\nb", CsvProblem::OpenQuote, 2, false),
        ];
        for (text, problem, line, goes_on) in cases {
            let found: Vec<_> = Records::of(text).collect();
            assert_eq!(found[1], Err(CsvError { line, problem }), "{problem:?}");
            assert_eq!(found.len(), if goes_on { 3 } else { 2 }, "{problem:?}");
        }
    }

    #[test]
    fn nothing_that_is_written_is_a_formula() {
        let mut text = String::new();
        push_record(&mut text, ["=1+1", "+8613800100001", "-5", "@a", "a\"b", "", "-"]);
        assert_eq!(text, "'=1+1,+8613800100001,-5,'@a,\"a\"\"b\",,'-\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            rows in prop::collection::vec(prop::collection::vec("[a-z,\"\\r\\n 号]{0,6}", 1..5), 1..5),
        ) {
            let mut text = String::new();
            for row in &rows {
                push_record(&mut text, row.iter().map(String::as_str));
            }
            let read: Vec<Vec<String>> =
                Records::of(&text).map(|record| record.unwrap().fields).collect();
            // A row of one empty field is an empty line, and a leading CR is marked.
            let expected: Vec<Vec<String>> = rows
                .into_iter()
                .filter(|row| row.len() > 1 || !row[0].is_empty())
                .map(|row| row.into_iter().map(marked).collect())
                .collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_text_comes_to_an_end(text in "[ab,\"\\r\\n]{0,40}") {
            prop_assert!(Records::of(&text).count() <= text.len());
        }
    }

    fn marked(field: String) -> String {
        if field.starts_with('\r') { format!("'{field}") } else { field }
    }
}
