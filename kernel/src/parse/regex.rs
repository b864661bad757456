//! Parsing by regular expression: group i becomes the field `keys[i]`.

use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::Lanes;
use crate::pattern::{Matcher, Pattern};
use crate::with_lanes;

/// `keys` has one name per group.
pub fn parse(batch: &mut Batch, policy: &Policy, pattern: &Pattern, keys: &[&[u8]]) -> Result<Failures, TooBig> {
    let distinct = (1..keys.len()).all(|i| !keys[..i].contains(&keys[i]));
    let keys = keys.iter().map(|key| batch.key_id(key)).collect::<Result<Vec<u32>, TooBig>>()?;
    run(batch, policy, pattern.matcher(), keys, distinct)
}

fn run(batch: &mut Batch, policy: &Policy, matcher: Matcher, keys: Vec<u32>, distinct: bool) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy, matcher: Matcher, keys: Vec<u32>, distinct: bool),
        batch.parse(policy, &mut ByRegex::<L> { matcher, keys, distinct, lanes: std::marker::PhantomData })
    )
}

struct ByRegex<'p, L> {
    matcher: Matcher<'p>,
    keys: Vec<u32>,
    distinct: bool,
    lanes: std::marker::PhantomData<L>,
}

impl<L: Lanes> Parser for ByRegex<'_, L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, _: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        if !self.matcher.full::<L>(value) {
            return Ok(false);
        }
        out.reserve(self.keys.len());
        for (i, key) in self.keys.iter().enumerate() {
            let span = self.matcher.group(i + 1).map_or(Span::EMPTY, |(start, end)| span.part(start, end));
            out.push(Field { key: *key, span });
        }
        Ok(true)
    }

    fn distinct(&self) -> bool {
        self.distinct
    }
}
