//! Parsing by regular expression: group i becomes the field `keys[i]`.

use super::{Failures, Home, Parser, Policy};
use crate::batch::span::{Field, Hay, Span};
use crate::batch::{Batch, TooBig};
use crate::bytes::Lanes;
use crate::pattern::{Matcher, Pattern, UNSET};
use crate::with_lanes;

/// `keys` has one name per group. With `omit_empty` a group that holds nothing gives no field.
pub fn parse(batch: &mut Batch, policy: &Policy, pattern: &Pattern, keys: &[&[u8]], omit_empty: bool) -> Result<Failures, TooBig> {
    let distinct = (1..keys.len()).all(|i| !keys[..i].contains(&keys[i]));
    let keys = keys.iter().map(|key| batch.key_id(key)).collect::<Result<Vec<u32>, TooBig>>()?;
    let groups = Groups { keys, distinct, omit_empty };
    run(batch, policy, pattern.matcher(), groups)
}

fn run(batch: &mut Batch, policy: &Policy, matcher: Matcher, groups: Groups) -> Result<Failures, TooBig> {
    with_lanes!(
        L => Result<Failures, TooBig>,
        (batch: &mut Batch, policy: &Policy, matcher: Matcher, groups: Groups),
        batch.parse(policy, &mut ByRegex::<L> { matcher, groups, lanes: std::marker::PhantomData })
    )
}

/// What becomes of the groups of a match.
struct Groups {
    keys: Vec<u32>,
    distinct: bool,
    omit_empty: bool,
}

struct ByRegex<'p, L> {
    matcher: Matcher<'p>,
    groups: Groups,
    lanes: std::marker::PhantomData<L>,
}

impl<L: Lanes> Parser for ByRegex<'_, L> {
    #[inline(always)]
    fn parse(&mut self, value: Hay, span: Span, _: &mut Home, out: &mut Vec<Field>) -> Result<bool, TooBig> {
        if !self.matcher.full::<L>(value) {
            return Ok(false);
        }
        let places = self.matcher.slots().chunks_exact(2).skip(1);
        let fields = self.groups.keys.iter().zip(places).map(|(key, place)| Field { key: *key, span: part(span, place) });
        if self.groups.omit_empty {
            out.extend(fields.filter(|field| field.span.len > 0));
        } else {
            out.extend(fields);
        }
        Ok(true)
    }

    fn distinct(&self) -> bool {
        self.groups.distinct
    }
}

/// A group of the value at `span`; one that took no part is empty.
#[inline(always)]
fn part(span: Span, place: &[u32]) -> Span {
    if place[0] == UNSET || place[1] == UNSET { Span::EMPTY } else { span.part(place[0] as usize, place[1] as usize) }
}
