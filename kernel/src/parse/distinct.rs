//! Fields of one value without repeated keys.

use crate::batch::keys::{self, INTERNED};
use crate::batch::span::{Field, Span};
use crate::parse::Home;
use hashbrown::HashTable;

pub struct Distinct {
    /// Where in `out` an interned key was written last.
    places: [u32; INTERNED],
    /// The same for the other keys of the value at work.
    own: HashTable<u32>,
}

impl Distinct {
    pub fn new() -> Distinct {
        Distinct { places: [0; INTERNED], own: HashTable::new() }
    }

    /// Before a value's first field.
    #[inline(always)]
    pub fn begin(&mut self) {
        if !self.own.is_empty() {
            self.own.clear();
        }
    }

    /// The last of equal keys wins, in the place of the first.
    #[inline(always)]
    pub fn put(&mut self, begin: usize, key: u32, value: Span, home: &Home, out: &mut Vec<Field>) {
        if let Some(place) = self.places.get_mut(key as usize) {
            let at = *place as usize;
            if at >= begin && out.get(at).is_some_and(|f| f.key == key) {
                out[at].span = value;
                return;
            }
            *place = out.len() as u32;
        } else if let Some(at) = self.own_place(key, home, out) {
            out[at].span = value;
            return;
        }
        out.push(Field { key, span: value });
    }

    #[cold]
    fn own_place(&mut self, key: u32, home: &Home, out: &[Field]) -> Option<usize> {
        let source = home.source();
        let name = home.keys.name(key, source);
        let hash = keys::hash(name);
        if let Some(&at) = self.own.find(hash, |&at| home.keys.name(out[at as usize].key, source) == name) {
            return Some(at as usize);
        }
        // The field is pushed next; its name must be hashed here, for rehashing may come before.
        let next = out.len() as u32;
        self.own.insert_unique(hash, next, |&at| {
            let key = if at == next { key } else { out[at as usize].key };
            keys::hash(home.keys.name(key, source))
        });
        None
    }
}
