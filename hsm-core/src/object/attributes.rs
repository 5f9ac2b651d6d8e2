//! Attributes as separate values, for making and changing objects.
//!
//! Owns: the order by type, one value a type. Does not know: what attributes mean, their encoding.
//! A vector and not a tree: an object has some thirty attributes, so finding one takes five steps, and all of them lie in
//! one allocation beside their values.

use super::Value;

/// The attributes of an object, in the order of their types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(u64, Value)>);

/// Room for the attributes of most keys: one KiB, the most that the C library keeps at hand for a thread.
const USUAL: usize = 32;
const _: () = assert!(USUAL * size_of::<(u64, Value)>() <= 1024, "the room is cheap");

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// No attributes, with room for those of most keys.
    pub(crate) fn with_room() -> Self {
        Self(Vec::with_capacity(USUAL))
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, kind: u64) -> Option<&Value> {
        self.place(kind).ok().map(|place| &self.0[place].1)
    }

    /// The value of an attribute, for a change.
    pub fn get_mut(&mut self, kind: u64) -> Option<&mut Value> {
        self.place(kind).ok().map(|place| &mut self.0[place].1)
    }

    /// Whether an attribute is there.
    #[must_use]
    pub fn contains(&self, kind: u64) -> bool {
        self.place(kind).is_ok()
    }

    /// Sets an attribute.
    pub fn insert(&mut self, kind: u64, value: Value) {
        match self.place(kind) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (kind, value)),
        }
    }

    /// Sets an attribute that is not there; returns its value.
    pub fn fill(&mut self, kind: u64, value: impl FnOnce() -> Value) -> &Value {
        let place = match self.place(kind) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (kind, value()));
                place
            }
        };
        &self.0[place].1
    }

    /// Sets all of these that are not there, each type once; cheaper than one by one. The value is made where it stays.
    pub fn fill_all<T>(&mut self, list: impl Iterator<Item = (u64, T)>, value: impl Fn(T) -> Value) {
        let there = self.0.len();
        for (kind, of) in list {
            if self.0[..there].binary_search_by_key(&kind, |(kind, _)| *kind).is_err() {
                self.0.push((kind, value(of)));
            }
        }
        self.0.sort_unstable_by_key(|(kind, _)| *kind);
        debug_assert!(self.0.is_sorted_by(|(one, _), (next, _)| one < next), "each type once");
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, kind: u64) {
        if let Ok(place) = self.place(kind) {
            self.0.remove(place);
        }
    }

    /// All attributes in the order of their types.
    pub fn iter(&self) -> core::slice::Iter<'_, (u64, Value)> {
        self.0.iter()
    }

    /// The number of attributes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where an attribute is, or where it belongs.
    fn place(&self, kind: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&kind, |(kind, _)| *kind)
    }
}

impl<const N: usize> From<[(u64, Value); N]> for Attributes {
    fn from(list: [(u64, Value); N]) -> Self {
        list.into_iter().collect()
    }
}

impl FromIterator<(u64, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (u64, Value)>>(list: I) -> Self {
        let mut attributes = Self::new();
        attributes.extend(list);
        attributes
    }
}

impl Extend<(u64, Value)> for Attributes {
    fn extend<I: IntoIterator<Item = (u64, Value)>>(&mut self, list: I) {
        let list = list.into_iter();
        self.0.reserve(list.size_hint().0);
        list.for_each(|(kind, value)| self.insert(kind, value));
    }
}

impl IntoIterator for Attributes {
    type Item = (u64, Value);
    type IntoIter = std::vec::IntoIter<(u64, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = &'a (u64, Value);
    type IntoIter = core::slice::Iter<'a, (u64, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_order_of_setting_the_order_is_that_of_the_types() {
        let mut attributes = Attributes::from([9, 3, 7, 3].map(|kind| (kind, Value::Number(kind))));
        attributes.insert(5, Value::Flag(false));
        attributes.insert(9, Value::Flag(true));
        assert_eq!(*attributes.fill(5, || unreachable!("it is there")), Value::Flag(false));
        assert_eq!(*attributes.fill(1, || Value::Number(1)), Value::Number(1));
        attributes.remove(7);
        attributes.remove(8);
        attributes.fill_all([(4, 4), (9, 0), (2, 2)].into_iter(), Value::Number);
        let kinds: Vec<u64> = attributes.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [1, 2, 3, 4, 5, 9]);
        assert_eq!((attributes.get(9), attributes.get(7)), (Some(&Value::Flag(true)), None));
        assert_eq!((attributes.len(), attributes.contains(3), attributes.contains(6)), (6, true, false));
    }
}
