//! The files of exports: pure formatting onto a file that only grows. What a format has to know of
//! what it wrote before is small and is kept with each checkpoint, so that a file can be gone on with
//! from there, whatever was written behind it.

mod columns;
mod out;
mod workbook;
mod zip;

pub(super) use out::Out;

use serde::{Deserialize, Serialize};
use std::io;
use workbook::Workbook;
use yunling_domain::cdr::CdrObject;
use yunling_domain::csv;
use yunling_store::exports::ExportFormat;

/// A file in the making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sheet {
    /// A table of legs, RFC 4180.
    Csv,
    /// An object a line.
    Lines,
    /// A workbook, in worksheets of a table of legs each.
    Workbook(Workbook),
}

impl Sheet {
    /// Begins a file; nothing for a format that has none.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn begin(format: ExportFormat, out: &mut Out) -> io::Result<Option<Self>> {
        Ok(match format {
            ExportFormat::Csv => {
                let mut head = String::new();
                csv::push_record(&mut head, columns::NAMES);
                out.append(head.as_bytes())?;
                Some(Self::Csv)
            }
            ExportFormat::Lines => Some(Self::Lines),
            ExportFormat::Workbook => Some(Self::Workbook(Workbook::begin(out)?)),
            ExportFormat::Push => None,
        })
    }

    /// Appends records.
    ///
    /// # Errors
    /// The disk does not take them.
    pub(super) fn write(&mut self, out: &mut Out, records: &[CdrObject]) -> io::Result<()> {
        match self {
            Self::Csv => {
                let mut text = String::new();
                for record in records {
                    for row in columns::rows(record) {
                        csv::push_record(&mut text, row);
                    }
                }
                out.append(text.as_bytes())
            }
            Self::Lines => {
                let mut text = String::new();
                for record in records {
                    text.push_str(&record.to_json());
                    text.push('\n');
                }
                out.append(text.as_bytes())
            }
            Self::Workbook(workbook) => workbook.write(out, records),
        }
    }

    /// Completes the file.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn end(&mut self, out: &mut Out) -> io::Result<()> {
        match self {
            Self::Csv | Self::Lines => Ok(()),
            Self::Workbook(workbook) => workbook.end(out),
        }
    }
}

/// A file's ending.
pub(super) const fn extension(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Lines => "jsonl",
        ExportFormat::Workbook => "xlsx",
        ExportFormat::Push => "none",
    }
}

/// A file's media type.
pub(super) const fn media_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
        ExportFormat::Lines => "application/jsonl; charset=utf-8",
        ExportFormat::Workbook => {
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        }
        ExportFormat::Push => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
