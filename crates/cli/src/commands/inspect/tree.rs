//! The parameters of a model as a tree of modules, with sums at every branch.

/// The type of a branch whose parameters are stored in several ways.
pub(crate) const MIXED: &str = "mixed";

/// A parameter, on its way into the tree.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// Path with dots.
    pub(crate) path: String,
    pub(crate) shape: Vec<usize>,
    /// How its numbers are stored.
    pub(crate) dtype: String,
    /// `None` where that is not known.
    pub(crate) bytes: Option<u64>,
}

/// A module, or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    name: String,
    /// Of a parameter.
    shape: Option<Vec<usize>>,
    /// The one way in which all its numbers are stored, or [`MIXED`].
    dtype: String,
    parameters: u64,
    bytes: Option<u64>,
    children: Vec<Node>,
}

/// A line of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// With the lines of the tree before it.
    pub(crate) name: String,
    /// Of a parameter.
    pub(crate) shape: Option<Vec<usize>>,
    pub(crate) dtype: String,
    pub(crate) parameters: u64,
    pub(crate) bytes: Option<u64>,
}

/// How much of a tree is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Levels below the root.
    pub(crate) depth: usize,
    /// Whether blocks that are like the one before them are shown as well.
    pub(crate) all: bool,
}

impl Node {
    /// The tree of these parameters, under a root of this name.
    pub(crate) fn of(name: &str, leaves: &[Leaf]) -> Self {
        let split: Vec<(Vec<&str>, &Leaf)> = leaves
            .iter()
            .map(|leaf| (leaf.path.split('.').collect(), leaf))
            .collect();
        Self::branch(name, &split, 0)
    }

    fn branch(name: &str, leaves: &[(Vec<&str>, &Leaf)], level: usize) -> Self {
        if let [(path, leaf)] = leaves {
            // A module with one parameter is one line.
            let mut names = vec![name];
            names.extend(&path[level..]);
            names.retain(|name| !name.is_empty());
            return Self {
                name: names.join("."),
                shape: Some(leaf.shape.clone()),
                dtype: leaf.dtype.clone(),
                parameters: leaf.shape.iter().map(|n| *n as u64).product(),
                bytes: leaf.bytes,
                children: Vec::new(),
            };
        }
        let children: Vec<Self> = leaves
            .chunk_by(|a, b| a.0[level] == b.0[level])
            .map(|group| Self::branch(group[0].0[level], group, level + 1))
            .collect();
        let first = children.first().map_or("", |child| child.dtype.as_str());
        let same = children.iter().all(|child| child.dtype == first);
        Self {
            name: name.to_owned(),
            shape: None,
            dtype: if same { first } else { MIXED }.to_owned(),
            parameters: children.iter().map(|child| child.parameters).sum(),
            bytes: children.iter().map(|child| child.bytes).sum(),
            children,
        }
    }

    /// Number of values below this node.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    /// How they are stored, or [`MIXED`].
    pub(crate) fn dtype(&self) -> &str {
        &self.dtype
    }

    /// Their bytes, where all are known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The lines of the tree.
    pub(crate) fn rows(&self, view: View) -> Vec<Row> {
        let mut rows = vec![self.row(String::new(), &self.name)];
        self.add_children(view, view.depth, "", &mut rows);
        rows
    }

    fn add_children(&self, view: View, depth: usize, indent: &str, rows: &mut Vec<Row>) {
        if depth == 0 {
            return;
        }
        let groups: Vec<&[Self]> = if view.all {
            self.children.chunks(1).collect()
        } else {
            self.children.chunk_by(Self::is_like).collect()
        };
        // The first of alike blocks is shown, and a line stands for the others.
        let lines: Vec<(Row, Option<&Self>)> = groups
            .iter()
            .flat_map(|group| {
                let (first, others) = group.split_first().expect("a group is not empty");
                let others = others.split_first().map(|(second, rest)| {
                    let last = rest.last().unwrap_or(second);
                    let names = match rest {
                        [] => format!("{}, like {}", second.name, first.name),
                        _ => format!("{} to {}, each like {}", second.name, last.name, first.name),
                    };
                    let n = 1 + rest.len() as u64;
                    let row = Row {
                        name: names,
                        shape: None,
                        dtype: first.dtype.clone(),
                        parameters: n * first.parameters,
                        bytes: first.bytes.map(|bytes| n * bytes),
                    };
                    (row, None)
                });
                let first = (first.row(String::new(), &first.name), Some(first));
                [Some(first), others]
            })
            .flatten()
            .collect();
        let last = lines.len();
        for (i, (row, node)) in lines.into_iter().enumerate() {
            let (branch, below) = if i + 1 == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            let name = format!("{indent}{branch}{}", row.name);
            rows.push(Row { name, ..row });
            if let Some(node) = node {
                node.add_children(view, depth - 1, &format!("{indent}{below}"), rows);
            }
        }
    }

    fn row(&self, before: String, name: &str) -> Row {
        Row {
            name: before + name,
            shape: self.shape.clone(),
            dtype: self.dtype.clone(),
            parameters: self.parameters,
            bytes: self.bytes,
        }
    }

    /// Whether two nodes are numbered and the same but for their numbers.
    fn is_like(&self, other: &Self) -> bool {
        let numbered = |node: &Self| node.name.bytes().all(|b| b.is_ascii_digit());
        numbered(self)
            && numbered(other)
            && Self {
                name: other.name.clone(),
                ..self.clone()
            } == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(path: &str, n: usize, dtype: &str) -> Leaf {
        Leaf {
            path: path.into(),
            shape: vec![n, 2],
            dtype: dtype.into(),
            bytes: Some(8 * n as u64),
        }
    }

    #[test]
    fn alike_blocks_are_one_line_and_everything_adds_up() {
        let mut leaves = vec![leaf("embedding.weight", 10, "f32")];
        for i in 0..4 {
            // The last block is stored otherwise.
            let dtype = if i == 3 { "q8_0" } else { "f32" };
            leaves.push(leaf(&format!("blocks.{i}.a.weight"), 3, dtype));
            leaves.push(leaf(&format!("blocks.{i}.a.bias"), 1, "f32"));
        }
        let tree = Node::of("model", &leaves);
        assert_eq!((tree.parameters(), tree.bytes()), (52, Some(208)));
        let names = |view| {
            let rows = tree.rows(view);
            rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
        };
        let folded = View {
            depth: 9,
            all: false,
        };
        assert_eq!(
            names(folded),
            [
                "model",
                "├─ embedding.weight",
                "└─ blocks",
                "   ├─ 0",
                "   │  └─ a",
                "   │     ├─ weight",
                "   │     └─ bias",
                "   ├─ 1 to 2, each like 0",
                "   └─ 3",
                "      └─ a",
                "         ├─ weight",
                "         └─ bias",
            ]
        );
        let rows = tree.rows(folded);
        assert_eq!((rows[7].parameters, rows[7].bytes), (16, Some(64)));
        assert_eq!(
            (rows[0].dtype.as_str(), rows[3].dtype.as_str()),
            ("mixed", "f32")
        );
        assert_eq!(
            names(View {
                depth: 1,
                all: false
            })
            .len(),
            3
        );
        assert_eq!(
            names(View {
                depth: 9,
                all: true
            })
            .len(),
            3 + 4 * 4
        );
    }
}
