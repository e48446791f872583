//! The pieces of a file that text can become, with their scores.

use rustc_hash::FxHashMap;

use super::symbols::Symbols;

/// What a piece is there for, of those that text can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    /// Looked for in the text before anything else.
    UserDefined,
    /// No text becomes it, but other pieces are made by way of it.
    Unused,
}

/// A piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    pub(super) id: u32,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// The pieces of the [module documentation](self).
#[derive(Debug)]
pub(super) struct Vocabulary {
    ids: FxHashMap<Box<str>, u32>,
    /// Score and kind by id.
    pieces: FxHashMap<u32, (f32, Kind)>,
    least_score: f32,
    /// The pieces of [`Kind::UserDefined`].
    pub(super) symbols: Symbols,
}

impl Vocabulary {
    pub(super) fn new<'t>(pieces: impl Iterator<Item = Piece<'t>> + Clone) -> Self {
        let defined = pieces
            .clone()
            .filter(|piece| piece.kind == Kind::UserDefined);
        let normal = pieces.clone().filter(|piece| piece.kind == Kind::Normal);
        Self {
            ids: pieces
                .clone()
                .map(|piece| (piece.text.into(), piece.id))
                .collect(),
            // 0 and -0 are one score, which adding makes them.
            pieces: pieces
                .map(|piece| (piece.id, (piece.score + 0.0, piece.kind)))
                .collect(),
            least_score: normal.map(|piece| piece.score).fold(f32::MAX, f32::min),
            symbols: Symbols::new(defined.map(|piece| piece.text)),
        }
    }

    /// Id of a piece.
    pub(super) fn piece(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(super) fn score(&self, id: u32) -> f32 {
        self.pieces[&id].0
    }

    pub(super) fn kind(&self, id: u32) -> Kind {
        self.pieces[&id].1
    }

    /// The least score of a normal piece.
    pub(super) fn least_score(&self) -> f32 {
        self.least_score
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, u32)> {
        self.ids.iter().map(|(text, id)| (&**text, *id))
    }

    pub(super) fn has_unused(&self) -> bool {
        self.pieces.values().any(|(_, kind)| *kind == Kind::Unused)
    }
}

/// All texts of a vocabulary by their beginnings.
#[derive(Debug)]
pub(super) struct Trie {
    /// The node that a byte leads to from another; the first is 0.
    nodes: FxHashMap<(u32, u8), u32>,
    /// Id of the piece that ends at a node.
    ends: Vec<Option<u32>>,
}

impl Trie {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let (mut nodes, mut ends) = (FxHashMap::default(), vec![None]);
        for (text, id) in vocabulary.texts() {
            let mut node = 0;
            for byte in text.bytes() {
                node = *nodes.entry((node, byte)).or_insert_with(|| {
                    ends.push(None);
                    ends.len() as u32 - 1
                });
            }
            ends[node as usize] = Some(id);
        }
        Self { nodes, ends }
    }

    /// Length in bytes and id of each piece with which `text` begins, the shortest first.
    pub(super) fn beginnings(&self, text: &str) -> impl Iterator<Item = (usize, u32)> {
        let mut node = 0;
        let nodes = text.bytes().map_while(move |byte| {
            node = *self.nodes.get(&(node, byte))?;
            Some(node)
        });
        let ends = nodes.map(|node| self.ends[node as usize]);
        ends.enumerate()
            .filter_map(|(index, id)| Some((index + 1, id?)))
    }
}

#[cfg(test)]
impl Vocabulary {
    /// A vocabulary of these pieces, numbered from 0.
    pub(super) fn of(pieces: &[(&str, f32, Kind)]) -> Self {
        let pieces = pieces.iter().zip(0..);
        Self::new(pieces.map(|((text, score, kind), id)| Piece {
            text,
            id,
            score: *score,
            kind: *kind,
        }))
    }
}
