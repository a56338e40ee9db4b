//! Text made of words that a parser knows, with anything between them.

use arbitrary::Arbitrary;

/// Words of a table by their numbers, and other text.
#[derive(Debug, Clone, Default, Arbitrary)]
pub struct Text(Vec<Piece>);

#[derive(Debug, Clone, Arbitrary)]
enum Piece {
    Word(u8),
    Other(String),
}

impl Text {
    /// The text, its words taken from this table.
    pub fn spelled(&self, words: &[&str]) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Word(number) => words
                    .get(usize::from(*number) % words.len().max(1))
                    .copied()
                    .unwrap_or_default(),
                Piece::Other(text) => text,
            })
            .collect()
    }
}
