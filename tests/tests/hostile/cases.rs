//! The list of cases: the item of the catalogue, a name, and what the case does with the module.
//!
//! Owns: the catalogue's items. The cases themselves are in the files beside this one; many are made by loops.

use crate::target::{Done, Target};
use crate::{
    answers, arguments, attacks, begin, ciphers, generators, keys, life, objects, operations, orders, orders_messages,
    orders_pairs, parameters, regressions, states, values,
};

/// One case.
pub struct Case {
    /// The item of the catalogue that it belongs to.
    pub item: &'static str,
    /// Its name, unique in the item.
    pub name: String,
    /// What it does, in a process of its own.
    pub run: Box<dyn Fn(&Target) -> Done>,
    /// Whether it is run through p11-kit's server and OpenSC's spy, too.
    pub is_remote: bool,
}

impl Case {
    /// The item and the name.
    pub fn title(&self) -> String {
        format!("{}/{}", self.item, self.name)
    }
}

/// The list while it is written.
#[derive(Default)]
pub struct Cases(pub Vec<Case>);

impl Cases {
    /// Adds a case.
    pub fn add(&mut self, item: &'static str, name: impl Into<String>, run: impl Fn(&Target) -> Done + 'static) {
        self.0.push(Case { item, name: name.into(), run: Box::new(run), is_remote: false });
    }

    /// Adds a case that has something to say through a carrier, too.
    pub fn add_remote(&mut self, item: &'static str, name: impl Into<String>, run: impl Fn(&Target) -> Done + 'static) {
        self.0.push(Case { item, name: name.into(), run: Box::new(run), is_remote: true });
    }
}

/// Every case, in the order of the catalogue.
pub fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    for add in FILES {
        add(&mut cases);
    }
    let mut cases = cases.0;
    // By the order of the items; the order within an item is that of the files.
    cases.sort_by_key(|case| ITEMS.iter().position(|(item, _)| *item == case.item));
    cases
}

/// The files of cases.
const FILES: [fn(&mut Cases); 17] = [
    arguments::cases,
    parameters::cases,
    values::cases,
    begin::cases,
    operations::cases,
    orders::cases,
    orders_messages::cases,
    orders_pairs::cases,
    objects::cases,
    states::cases,
    answers::cases,
    life::cases,
    attacks::cases,
    ciphers::cases,
    generators::cases,
    keys::cases,
    regressions::cases,
];

/// The catalogue: where tokens were seen to fail.
pub const ITEMS: &[(&str, &str)] = &[
    ("4.1.0", "every function works when it is called as the standard says"),
    ("4.1.1", "NULL in each pointer of each function"),
    ("4.1.2", "numbers of attributes beyond any memory"),
    ("4.1.3", "lengths beyond any memory, of inputs and of room for outputs"),
    ("4.1.4", "a length with a NULL pointer inside a mechanism's parameter or an attribute"),
    ("4.1.5", "everything at odd addresses"),
    ("4.1.6", "mechanism parameters of every wrong size"),
    ("4.1.7", "input and output in one buffer"),
    ("4.1.8", "the length of an output inside that output; no byte beyond a buffer"),
    ("4.1.9", "templates in templates without end"),
    ("4.1.10", "attributes of wrong lengths and values"),
    ("4.1.11", "labels and texts of every kind"),
    ("4.1.12", "handles of nothing, of something closed, of something destroyed, of something else"),
    ("4.1.13", "C_Initialize and C_Finalize with everything that they must refuse"),
    ("4.2.1", "sizes of outputs: asked, too small, exactly right"),
    ("4.2.2", "a verification ends with any signature"),
    ("4.2.3", "a beginning that failed leaves nothing behind"),
    ("4.2.4", "single calls, parts and ends in forbidden orders; several kinds at once"),
    ("4.2.5", "operations are cancelled by NULL and by C_SessionCancel"),
    ("4.2.6", "padding, blocks, messages without a byte"),
    ("4.2.7", "authenticated ciphers give nothing away before their tag is seen"),
    ("4.2.8", "counters of AES-CTR"),
    ("4.2.9", "IVs and tags of messages"),
    ("4.2.10", "the state of an operation, saved and brought back"),
    ("4.2.11", "C_Logout and C_CloseSession end operations and searches"),
    ("4.2.12", "searches: empty, interrupted, beside another process"),
    ("4.2.13", "return values that say what is wrong"),
    ("4.2.14", "what the mechanisms say of themselves"),
    ("4.2.15", "every order of calls, against a model of the standard"),
    ("4.3.1", "attributes answered one by one, and nothing written beyond its room"),
    ("4.3.2", "the secrets of each kind of key"),
    ("4.3.3", "where a key comes from, and its marks"),
    ("4.3.4", "objects that are not to be changed, copied, destroyed; changes whole or not at all"),
    ("4.3.5", "private objects without a user"),
    ("4.3.6", "read-only sessions; session objects end with theirs"),
    ("4.3.7", "usages that a kind of key cannot have"),
    ("4.3.8", "curves and points that are none (CVE-2021-3798)"),
    ("4.3.9", "destroyed objects are gone everywhere"),
    ("4.3.10", "IDs and check values"),
    ("4.3.11", "sizes and counters"),
    ("4.4.1", "C_Finalize while threads are at work"),
    ("4.4.2", "one session in several threads"),
    ("4.4.3", "sessions and logins that come and go beside signatures"),
    ("4.4.4", "fork"),
    ("4.4.5", "loading, unloading, two copies, the end of the process"),
    ("4.4.7", "processes of several threads on one token"),
    ("4.4.8", "memory"),
    ("4.5.1", "the five Tookan attacks"),
    ("4.5.2", "Clulow's attacks: other marks, other kinds, other keys"),
    ("4.5.3", "pieces and relatives of keys (CVE-2015-5464)"),
    ("4.5.4", "one answer for every bad padding"),
    ("4.5.5", "what wraps, and how much (CVE-2026-22791, CVE-2026-44662)"),
    ("4.5.6", "what was mended elsewhere in 2026: NSS, openCryptoki, p11-kit, the crate cryptoki"),
    ("4.6", "what cryptography must refuse"),
];
