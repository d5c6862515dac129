//! What was measured, as a table for people and as JSON for programs.

use serde_json::{Value, json};

use super::usage::load_average;

/// One figure.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The letter of its part.
    part: char,
    /// What, with its unit.
    what: String,
    ours: f64,
    peer: Option<f64>,
    aim: Option<Aim>,
    /// Of the machine, right after the measurement.
    load: f64,
    /// Whatever else was seen.
    detail: Value,
}

/// What a figure ought to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn is_met(self, by: f64) -> bool {
        match self {
            Self::AtMost(most) => by <= most,
            Self::AtLeast(least) => by >= least,
        }
    }

    /// How many times better a figure is than another.
    fn times_better(self, ours: f64, other: f64) -> f64 {
        match self {
            Self::AtMost(_) => other / ours,
            Self::AtLeast(_) => ours / other,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }

    fn value(self) -> f64 {
        match self {
            Self::AtMost(value) | Self::AtLeast(value) => value,
        }
    }
}

impl Row {
    pub(super) fn new(part: char, what: impl Into<String>, ours: f64, detail: Value) -> Self {
        Self { part, what: what.into(), ours, peer: None, aim: None, load: load_average(), detail }
    }

    pub(super) fn part(&self) -> char {
        self.part
    }

    pub(super) fn aim(mut self, aim: Aim) -> Self {
        self.aim = Some(aim);
        self
    }

    pub(super) fn peer(mut self, peer: Option<f64>) -> Self {
        self.peer = peer;
        self
    }

    /// How many times better we are than the peer.
    fn ratio(&self) -> Option<f64> {
        Some(self.aim.unwrap_or(Aim::AtMost(0.0)).times_better(self.ours, self.peer?))
    }

    fn cells(&self) -> [String; 7] {
        [
            self.part.to_string(),
            self.what.clone(),
            shown(self.ours),
            self.peer.map_or_else(String::new, shown),
            self.ratio().map_or_else(String::new, |ratio| format!("{}×", shown(ratio))),
            self.aim.map_or_else(String::new, |aim| {
                let verdict = if aim.is_met(self.ours) { "met" } else { "MISSED" };
                format!("{} {verdict}", aim.shown())
            }),
            format!("{:.1}", self.load),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "part": self.part.to_string(),
            "what": self.what,
            "ours": self.ours,
            "peer": self.peer,
            "times_better_than_peer": self.ratio(),
            "aim": self.aim.map(Aim::value),
            "aim_met": self.aim.map(|aim| aim.is_met(self.ours)),
            "load_average": self.load,
            "detail": self.detail,
        })
    }
}

/// The JSON document of a run.
pub(super) fn document(rows: &[Row], machine: &Value) -> Value {
    json!({ "machine": machine, "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>() })
}

/// The table.
pub(super) fn render(rows: &[Row]) -> String {
    let head = ["", "what", "ours", "peer", "better", "aim", "load"].map(str::to_owned);
    let lines: Vec<[String; 7]> =
        std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or(0));
    lines
        .iter()
        .map(|line| {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                // Figures stand under one another at their right ends.
                if (2..5).contains(&column) {
                    text.push_str(&padding);
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.push_str(&padding);
                }
                text.push_str("  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
            text
        })
        .collect()
}

/// Three digits that count.
fn shown(figure: f64) -> String {
    match figure.abs() {
        large if large >= 100.0 => format!("{figure:.0}"),
        medium if medium >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_it_stands_to_peer_and_aim() {
        let cost = Row::new('a', "CPU", 2.5, Value::Null).aim(Aim::AtMost(2.7)).peer(Some(25.0));
        let rate =
            Row::new('c', "rate", 600.0, Value::Null).aim(Aim::AtLeast(750.0)).peer(Some(150.0));
        assert_eq!((cost.ratio(), rate.ratio()), (Some(10.0), Some(4.0)));
        let text = render(&[cost, rate]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("2.50") && lines[1].contains("10.0×"), "{text}");
        assert!(lines[1].contains("≤ 2.7 met"), "{text}");
        assert!(lines[2].contains("≥ 750 MISSED"), "{text}");
    }
}
