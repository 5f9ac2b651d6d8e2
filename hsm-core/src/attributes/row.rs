//! The columns of the attribute tables.
//!
//! Owns: what a row can say. Does not know: which rows there are (`tables`), how they are applied
//! (`build`, `change`, `read`). A row is plain data, made by the `const` functions below so that a
//! table reads like the tables of the standard.
//! Rule source: PKCS#11 v2.40, table 15 (the footnotes of attribute tables), and v3.1, section 4.

/// The form of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `CK_BBOOL`: one byte, 0 or 1.
    Flag,
    /// `CK_ULONG` of eight bytes, not above this.
    Number(u64),
    /// Text in any encoding.
    Text,
    /// Bytes.
    Bytes,
    /// One DER value; kept as given.
    Der,
    /// An unsigned big-endian number without leading zeros, not 0.
    BigInteger,
    /// `CK_DATE` of eight digits, or nothing.
    Date,
    /// A list of `CKM_*`.
    Mechanisms,
    /// A list of other numbers.
    Numbers,
    /// A template of key attributes.
    Template,
}

/// What an attribute becomes where nobody gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// It stays absent; asked for, a list or template is answered empty, anything else as unknown.
    Absent,
    /// It becomes empty.
    Empty,
    /// This flag.
    Flag(bool),
    /// This number.
    Number(u64),
    /// True for private and secret keys, false for all else (CKA_PRIVATE).
    KeysPrivate,
    /// True where the key type can do it.
    Usage,
    /// It is computed.
    Computed,
    /// It is this number for every object, and not kept.
    Always(u64),
}

impl Fill {
    /// Whether it is a value that is kept in the object.
    pub const fn is_kept(self) -> bool {
        !matches!(self, Fill::Absent | Fill::Computed | Fill::Always(_))
    }
}

/// What the template of a new object may do with an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Give {
    /// It must have it (footnotes 1, 3, 5).
    Must,
    /// It may have it.
    May,
    /// It may repeat what the operation makes, and nothing else.
    Same,
    /// It may have it; a value that cannot be kept is left out and told, because the object is as good without it.
    /// Only objects that come from another token have such attributes.
    Try,
    /// It must not have it (footnotes 2, 4, 6).
    Never,
}

/// How the attribute of an object that exists, or of its copy, may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// To any value (footnote 8).
    Yes,
    /// It may be given, with the value it has.
    Same,
    /// From false to true, not back (footnotes 10, 11).
    OnlyTrue,
    /// From true to false, not back (footnotes 9, 12).
    OnlyFalse,
    /// It must not be given.
    Never,
}

/// One attribute of one group.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `CKA_*`.
    pub kind: u64,
    /// Form of its value.
    pub form: Form,
    /// Its value where nobody gives one.
    pub fill: Fill,
    /// In the template of C_CreateObject.
    pub create: Give,
    /// In a template of C_GenerateKey or C_GenerateKeyPair.
    pub generate: Give,
    /// In the template of C_UnwrapKey.
    pub unwrap: Give,
    /// In the template of C_DeriveKey.
    pub derive: Give,
    /// In an object that comes from another token.
    pub migrate: Give,
    /// In the template of C_CopyObject.
    pub copy: Change,
    /// In the template of C_SetAttributeValue.
    pub set: Change,
    /// Only the SO makes it true.
    pub officer_only: bool,
    /// Not revealed while CKA_SENSITIVE is true or CKA_EXTRACTABLE is false (footnote 7).
    pub sensitive: bool,
}

/// A row that every new object may give, that a copy may repeat, and that never changes.
pub(super) const fn row(kind: u64, form: Form) -> Row {
    Row {
        kind,
        form,
        fill: Fill::Absent,
        create: Give::May,
        generate: Give::May,
        unwrap: Give::May,
        derive: Give::May,
        migrate: Give::May,
        copy: Change::Same,
        set: Change::Never,
        officer_only: false,
        sensitive: false,
    }
}

/// A flag with a default.
pub(super) const fn flag(kind: u64, default: bool) -> Row {
    row(kind, Form::Flag).fill(Fill::Flag(default))
}

/// A flag that says what a key may be used for.
pub(super) const fn usage(kind: u64) -> Row {
    row(kind, Form::Flag).fill(Fill::Usage).changes(Change::Yes, Change::Yes)
}

/// An attribute that describes the object, empty by default, which its owner may change at any time.
pub(super) const fn label(kind: u64, form: Form) -> Row {
    row(kind, form).fill(Fill::Empty).changes(Change::Yes, Change::Yes).migrates(Give::Try)
}

/// An attribute that the token alone gives.
pub(super) const fn origin(kind: u64, form: Form) -> Row {
    row(kind, form)
        .fill(Fill::Computed)
        .gives(Give::Never, Give::Never, Give::Never, Give::Never)
        .changes(Change::Never, Change::Never)
        .migrates(Give::Try)
}

/// A part of a key that its creator must give and no other operation takes.
pub(super) const fn material(kind: u64, form: Form) -> Row {
    row(kind, form).gives(Give::Must, Give::Never, Give::Never, Give::Never)
}

impl Row {
    pub(super) const fn fill(mut self, fill: Fill) -> Self {
        self.fill = fill;
        self
    }

    /// An object from another token gives what its creator would.
    pub(super) const fn gives(mut self, create: Give, generate: Give, unwrap: Give, derive: Give) -> Self {
        self.migrate = create;
        self.create = create;
        self.generate = generate;
        self.unwrap = unwrap;
        self.derive = derive;
        self
    }

    pub(super) const fn changes(mut self, copy: Change, set: Change) -> Self {
        self.copy = copy;
        self.set = set;
        self
    }

    pub(super) const fn migrates(mut self, migrate: Give) -> Self {
        self.migrate = migrate;
        self
    }

    /// Only C_CreateObject makes such an object.
    pub(super) const fn created(self) -> Self {
        let (create, migrate) = (self.create, self.migrate);
        self.gives(create, Give::Never, Give::Never, Give::Never).migrates(migrate)
    }

    /// A derivation makes such an object, too.
    pub(super) const fn derived(mut self) -> Self {
        self.derive = self.create;
        self
    }

    pub(super) const fn officer_only(mut self) -> Self {
        self.officer_only = true;
        self
    }

    /// Not revealed, and not to be given to a copy: repeating it would be an oracle.
    pub(super) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self.copy = Change::Never;
        self
    }
}
