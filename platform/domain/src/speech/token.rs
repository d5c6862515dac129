//! What a reading is made of: named recordings and the pauses between them.

use super::Lang;
use super::lexicon::lexicon;

/// The pause that follows a token, if another one follows; a pack says how long each lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gap {
    /// Inside a number or word group: hardly any.
    Join,
    /// Between the parts of a value: after 万, 元 or a month.
    Part,
    /// Between things read one by one, so that they can be written down.
    Digit,
}

/// One recording to be played, and the pause after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    name: &'static str,
    gap: Gap,
}

impl Token {
    pub(super) fn new(name: &'static str, gap: Gap) -> Self {
        Token { name, gap }
    }

    pub(super) fn join(name: &'static str) -> Self {
        Token::new(name, Gap::Join)
    }

    pub(super) fn part(name: &'static str) -> Self {
        Token::new(name, Gap::Part)
    }

    pub(super) fn digit(name: &'static str) -> Self {
        Token::new(name, Gap::Digit)
    }

    pub(super) fn followed_by(self, gap: Gap) -> Self {
        Token { gap, ..self }
    }

    /// The name in packs and file names: `n12`, `wan`, `letter-a`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The pause before the next token; without meaning on the last one.
    pub fn gap(self) -> Gap {
        self.gap
    }
}

/// A reading in writing, for previews and logs: 两元一角四分, "two yuan and fourteen fen".
pub fn written(tokens: &[Token], lang: Lang) -> String {
    let words = lexicon(lang);
    let texts: Vec<&str> = tokens
        .iter()
        .filter_map(|token| words.iter().find(|word| word.token == token.name))
        .map(|word| word.text.as_str())
        .collect();
    match lang {
        Lang::Zh => texts.concat(),
        Lang::En => texts.join(" "),
    }
}
