//! Patterns that only use look-ahead to say "not": `^(?!.*(A|B)).*`, `^(?!\s).+`, `^(?:(?!X).)*$`.
//!
//! `^(?!B)T` matches a whole value exactly when T does and B matches no prefix of it; both sides are regular, so both run in
//! linear time.

use super::tree::{Greed, Node};

/// What must not be there.
pub struct Refusal {
    pub what: Node,
    /// Anywhere in the value, or at its beginning.
    pub anywhere: bool,
}

pub struct Split {
    pub refusals: Vec<Refusal>,
    pub rest: Node,
    /// The form `(?:(?!X).)*`, for which only whole values are rewritten.
    pub tempered: bool,
}

pub fn split(root: &Node) -> Option<Split> {
    let nodes = match root {
        Node::Concat(nodes) => nodes.as_slice(),
        other => std::slice::from_ref(other),
    };
    let nodes = if let [Node::Start, rest @ ..] = nodes { rest } else { nodes };
    tempered(nodes).or_else(|| looks(nodes))
}

fn looks(nodes: &[Node]) -> Option<Split> {
    let count = nodes.iter().take_while(|n| matches!(n, Node::Look { behind: false, negated: true, body } if body.is_regular())).count();
    let (looks, rest) = nodes.split_at(count);
    if looks.is_empty() || !rest.iter().all(Node::is_regular) {
        return None;
    }
    let refusals = looks.iter().filter_map(|look| if let Node::Look { body, .. } = look { Some(refusal(body)) } else { None });
    Some(Split { refusals: refusals.collect(), rest: Node::concat(rest.to_vec()), tempered: false })
}

/// `.*X` at the beginning is X anywhere, when the dot takes every byte.
fn refusal(body: &Node) -> Refusal {
    if let Node::Concat(nodes) = body
        && let [Node::Repeat { body: dot, min: 0, max: None, .. }, rest @ ..] = nodes.as_slice()
        && matches!(&**dot, Node::Set(set) if set.len() == 256)
    {
        return Refusal { what: Node::concat(rest.to_vec()), anywhere: true };
    }
    Refusal { what: body.clone(), anywhere: false }
}

fn tempered(nodes: &[Node]) -> Option<Split> {
    let (Node::Repeat { body, min: 0, max: None, how: Greed::Greedy }, []) = (match nodes {
        [first, Node::End] => (first, &[][..]),
        [first, rest @ ..] => (first, rest),
        [] => return None,
    }) else {
        return None;
    };
    let Node::Concat(inner) = &**body else { return None };
    let [Node::Look { behind: false, negated: true, body: what }, dot @ Node::Set(_)] = inner.as_slice() else { return None };
    if !what.is_regular() || what.nullable() {
        return None;
    }
    let rest = Node::Repeat { body: Box::new(dot.clone()), min: 0, max: None, how: Greed::Greedy };
    Some(Split { refusals: vec![Refusal { what: (**what).clone(), anywhere: true }], rest, tempered: true })
}
