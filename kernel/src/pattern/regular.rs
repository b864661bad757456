//! A pattern without look-around and back-references: the scanner where its shape allows, the linear engine otherwise and
//! where the scanner gives up.

use std::sync::OnceLock;

use super::PatternError;
use super::linear::Linear;
use super::program::Program;
use super::tree::Node;

pub struct Regular {
    root: Node,
    /// The whole of a value.
    pub full: Option<Program>,
    /// The beginning of a value.
    pub prefix: Option<Program>,
    linear_full: OnceLock<Linear>,
    linear_part: OnceLock<Linear>,
}

impl Regular {
    pub fn compile(root: &Node) -> Result<Regular, PatternError> {
        let full = Program::compile(root, true);
        let prefix = Program::compile(root, false);
        let regular = Regular { root: root.clone(), full, prefix, linear_full: OnceLock::new(), linear_part: OnceLock::new() };
        if regular.full.is_none() {
            // Only big patterns can fail; a pattern that the scanner takes is small.
            let _ = regular.linear_full.set(Linear::compile(&anchored(root))?);
            let _ = regular.linear_part.set(Linear::compile(root)?);
        }
        Ok(regular)
    }

    pub fn linear_full(&self) -> &Linear {
        self.linear_full.get_or_init(|| Linear::compile(&anchored(&self.root)).expect("a pattern for the scanner is small"))
    }

    /// For searches and prefixes.
    pub fn linear_part(&self) -> &Linear {
        self.linear_part.get_or_init(|| Linear::compile(&self.root).expect("a pattern for the scanner is small"))
    }
}

fn anchored(root: &Node) -> Node {
    Node::Concat(vec![Node::Start, root.clone(), Node::End])
}
