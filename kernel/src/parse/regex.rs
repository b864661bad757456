//! Parsing by regular expression: group i becomes the field `keys[i]`.

use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::Lanes;
use crate::pattern::{Matcher, Pattern, UNSET};
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
        let groups = self.matcher.slots().chunks_exact(2).skip(1);
        out.extend(self.keys.iter().zip(groups).map(|(key, place)| Field { key: *key, span: part(span, place) }));
        Ok(true)
    }

    fn distinct(&self) -> bool {
        self.distinct
    }
}

/// A group of the value at `span`; one that took no part is empty.
#[inline(always)]
fn part(span: Span, place: &[u32]) -> Span {
    if place[0] == UNSET || place[1] == UNSET { Span::EMPTY } else { span.part(place[0] as usize, place[1] as usize) }
}
