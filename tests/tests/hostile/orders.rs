//! Every order of calls, against a model of the standard. Item 4.2.15.
//!
//! Owns: the model. It holds a set of states in which the operation may be, because the standard leaves some things open; an answer
//! rules states out, and one that leaves none is wrong. `HOSTILE_DEPTH` says how many calls a sequence has, four if nothing does.
//! Rule source: PKCS#11 3.2, 5.2, 5.6 and 5.8 to 5.15.

use crate::calls::entry;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read_bytes, word};
use perilune_tests::ck::*;
use perilune_tests::raw::{call_words, plain};
use perilune_tests::{Template, ck};

/// A call, or something that happens to the session or the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Init,
    InitNull,
    Single,
    SingleQuery,
    SingleSmall,
    Update,
    UpdateQuery,
    UpdateSmall,
    Final,
    FinalQuery,
    FinalSmall,
    Cancel,
    Logout,
    Close,
    Destroy,
}

use Step::*;

/// Without parts.
const WHOLE: &[Step] = &[Init, InitNull, Single, SingleQuery, SingleSmall, Cancel, Close];
/// With an output at the end.
const PARTS: &[Step] = &[
    Init,
    InitNull,
    Single,
    SingleQuery,
    SingleSmall,
    Update,
    Final,
    FinalQuery,
    FinalSmall,
    Cancel,
    Logout,
    Close,
    Destroy,
];
/// With an output at each part.
const CIPHER: &[Step] = &[
    Init,
    InitNull,
    Single,
    SingleQuery,
    SingleSmall,
    Update,
    UpdateQuery,
    UpdateSmall,
    Final,
    FinalQuery,
    FinalSmall,
    Cancel,
    Logout,
    Close,
    Destroy,
];
/// Without an output.
const VERIFY: &[Step] = &[Init, InitNull, Single, Update, Final, Cancel, Logout, Close, Destroy];

/// One kind of operation.
struct Kind {
    name: &'static str,
    /// What its functions are called: init, single, update, final.
    functions: [&'static str; 4],
    mechanism: CK_MECHANISM_TYPE,
    flag: CK_FLAGS,
    steps: &'static [Step],
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "encrypt",
        functions: ["C_EncryptInit", "C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal"],
        mechanism: CKM_AES_ECB,
        flag: CKF_ENCRYPT,
        steps: CIPHER,
    },
    Kind {
        name: "decrypt",
        functions: ["C_DecryptInit", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal"],
        mechanism: CKM_AES_ECB,
        flag: CKF_DECRYPT,
        steps: CIPHER,
    },
    Kind {
        name: "digest",
        functions: ["C_DigestInit", "C_Digest", "C_DigestUpdate", "C_DigestFinal"],
        mechanism: CKM_SHA256,
        flag: CKF_DIGEST,
        steps: PARTS,
    },
    Kind {
        name: "sign",
        functions: ["C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal"],
        mechanism: CKM_SHA256_HMAC,
        flag: CKF_SIGN,
        steps: PARTS,
    },
    Kind {
        name: "verify",
        functions: ["C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal"],
        mechanism: CKM_SHA256_HMAC,
        flag: CKF_VERIFY,
        steps: VERIFY,
    },
    Kind {
        name: "verify signature",
        functions: ["C_VerifySignatureInit", "C_VerifySignature", "C_VerifySignatureUpdate", "C_VerifySignatureFinal"],
        mechanism: CKM_SHA256_HMAC,
        flag: CKF_VERIFY,
        steps: VERIFY,
    },
    Kind {
        name: "sign recover",
        functions: ["C_SignRecoverInit", "C_SignRecover", "", ""],
        mechanism: CKM_RSA_PKCS,
        flag: CKF_SIGN_RECOVER,
        steps: WHOLE,
    },
    Kind {
        name: "verify recover",
        functions: ["C_VerifyRecoverInit", "C_VerifyRecover", "", ""],
        mechanism: CKM_RSA_PKCS,
        flag: CKF_VERIFY_RECOVER,
        steps: WHOLE,
    },
];

pub fn cases(cases: &mut Cases) {
    for (index, kind) in KINDS.iter().enumerate() {
        cases.add("4.2.15", kind.name, move |target| every_order(target, &KINDS[index]));
    }
}

/// Some ten thousand sequences for each kind; one call more, and it is fifteen times as many.
pub const USUAL_DEPTH: u32 = 4;

/// States as bits: nothing active, begun, and so many parts.
type States = u32;
const IDLE: States = 1;
const BEGUN: States = 2;
/// Decrypted already, and kept until there is room for it: it takes no further part.
const WAITING: States = 1 << 15;

fn parts(count: u32) -> States {
    4 << count
}

/// What the module is called with: made once, because a sequence takes microseconds.
struct Desk<'t> {
    target: &'t Target,
    kind: &'t Kind,
    entries: [usize; 4],
    cancel: Option<usize>,
    /// Holds the login and the key while the other session comes and goes.
    keeper: CK_SESSION_HANDLE,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
    mechanism: *mut CK_MECHANISM,
    data: Vec<u8>,
    proof: Vec<u8>,
    out: *mut u8,
    room: *mut CK_ULONG,
    /// The right output of a single call, and of the end after 0, 1, 2, ... parts.
    single: Vec<u8>,
    ends: Vec<Vec<u8>>,
}

/// How many calls a sequence has.
pub fn depth() -> u32 {
    std::env::var("HOSTILE_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(USUAL_DEPTH)
}

fn every_order(target: &Target, kind: &Kind) -> Done {
    let mut desk = Desk::new(target, kind)?;
    let depth = depth();
    let count = kind.steps.len().pow(depth);
    let mut wrong = 0;
    for number in 0..count {
        let sequence: Vec<Step> =
            (0..depth).map(|place| kind.steps[number / kind.steps.len().pow(place) % kind.steps.len()]).collect();
        if let Some(what) = desk.run(&sequence)? {
            wrong += 1;
            target.effect(&what, false);
        }
        if wrong > 20 {
            break;
        }
    }
    Ok(())
}

impl<'t> Desk<'t> {
    fn new(target: &'t Target, kind: &'t Kind) -> Result<Self, Stop> {
        let mut entries = [0; 4];
        for (place, name) in entries.iter_mut().zip(kind.functions).filter(|(_, name)| !name.is_empty()) {
            *place = entry(target, name)?;
        }
        let mut desk = Self {
            target,
            kind,
            entries,
            cancel: entry(target, "C_SessionCancel").ok(),
            keeper: target.session(),
            session: target.enter()?,
            key: 0,
            mechanism: target.plain(kind.mechanism),
            data: vec![7; 16],
            proof: Vec::new(),
            out: target.room(256),
            room: target.value(0 as CK_ULONG),
            single: Vec::new(),
            ends: Vec::new(),
        };
        desk.key = desk.new_key()?;
        if kind.name.starts_with("verify") {
            let (signs, mechanism) = match kind.mechanism {
                CKM_RSA_PKCS => (target.rsa()?.1, CKM_RSA_PKCS),
                other => (desk.key, other),
            };
            desk.proof =
                target.answer("C_Sign", target.raw.sign(target.session(), plain(mechanism), signs, &desk.data))?;
        }
        if kind.name == "verify recover" {
            desk.data = desk.proof.clone();
        }
        desk.learn()?;
        Ok(desk)
    }

    /// The key of the kind, always with one value, public so that it outlives a logout.
    fn new_key(&self) -> Result<CK_OBJECT_HANDLE, Stop> {
        let usages = [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY];
        let template = |kind, usages: &[CK_ATTRIBUTE_TYPE]| {
            let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, kind);
            let template = template.bytes(CKA_VALUE, &[9; 32]).flag(CKA_PRIVATE, false);
            usages.iter().fold(template, |template, usage| template.flag(*usage, true))
        };
        let template = match self.kind.mechanism {
            CKM_AES_ECB => template(CKK_AES, &usages[..2]),
            CKM_SHA256_HMAC => template(CKK_GENERIC_SECRET, &usages[2..]),
            CKM_RSA_PKCS if self.kind.name == "sign recover" => return Ok(self.target.rsa()?.1),
            CKM_RSA_PKCS => return Ok(self.target.rsa()?.0),
            _ => return Ok(0),
        };
        self.target.answer("C_CreateObject", self.target.raw.create(self.keeper, template))
    }

    /// The right outputs, each from a clean beginning: the positive control.
    fn learn(&mut self) -> Done {
        self.target.need("the beginning", self.call(Init))?;
        self.target.need("a single call", self.call(Single))?;
        self.single = self.output();
        for count in 0..8 {
            if self.entries[3] == 0 {
                break;
            }
            self.target.need("the beginning", self.call(Init))?;
            for _ in 0..count {
                self.target.need("a part", self.call(Update))?;
            }
            let code = self.call(Final);
            if !self.verifies() {
                self.target.need("the end", code)?;
            }
            self.ends.push(self.output());
        }
        Ok(())
    }

    fn verifies(&self) -> bool {
        self.kind.steps == VERIFY
    }

    /// What the last call wrote.
    fn output(&self) -> Vec<u8> {
        if self.verifies() {
            return Vec::new();
        }
        // SAFETY: the length's own memory.
        read_bytes(self.out, (unsafe { self.room.read_unaligned() } as usize).min(256))
    }

    /// Makes one call; steps that are none are in [`Self::happen`].
    fn call(&self, step: Step) -> CK_RV {
        let room = match step {
            SingleSmall => self.single.len().saturating_sub(1),
            FinalSmall => self.ends.first().map_or(0, |end| end.len().saturating_sub(1)),
            UpdateSmall => 15,
            _ => 256,
        };
        // SAFETY: the length's own memory.
        unsafe { self.room.write_unaligned(room as CK_ULONG) };
        let out = if matches!(step, SingleQuery | UpdateQuery | FinalQuery) { 0 } else { self.out as usize };
        let (session, length) = (self.session as usize, self.room as usize);
        let (data, bytes) = (self.data.as_ptr() as usize, self.data.len());
        let (proof, proof_bytes) = (self.proof.as_ptr() as usize, self.proof.len());
        let first = self.kind.name == "verify signature";
        let mut words = [session, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let (index, rest): (usize, [usize; 4]) = match step {
            // The signature goes with the beginning; other beginnings do not look at it.
            Init => (0, [self.mechanism as usize, self.key as usize, proof, proof_bytes]),
            InitNull => (0, [0; 4]),
            Single if self.verifies() && !first => (1, [data, bytes, proof, proof_bytes]),
            Single | SingleQuery | SingleSmall => (1, [data, bytes, out, length]),
            Update | UpdateQuery | UpdateSmall => (2, [data, bytes, out, length]),
            Final if self.verifies() => (3, [proof, proof_bytes, 0, 0]),
            _ => (3, [out, length, 0, 0]),
        };
        words[1..5].copy_from_slice(&rest);
        call_words(self.entries[index], words)
    }

    /// Makes one step, of which the answer is CKR_OK when it is no call.
    fn step(&mut self, step: Step) -> Result<CK_RV, Stop> {
        let raw = &self.target.raw;
        match step {
            Cancel => {
                let Some(cancel) = self.cancel else { return Ok(CKR_FUNCTION_NOT_SUPPORTED) };
                return Ok(call_words(
                    cancel,
                    [self.session as usize, self.kind.flag as usize, 0, 0, 0, 0, 0, 0, 0, 0],
                ));
            }
            Logout => {
                self.target.need("C_Logout", ck!(raw, C_Logout, self.keeper))?;
                self.target.answer("C_Login", raw.login(self.keeper, CKU_USER, &self.target.contestant.pin))?;
            }
            Close => {
                self.target.need("C_CloseSession", ck!(raw, C_CloseSession, self.session))?;
                self.session = self.target.open()?;
            }
            Destroy if self.key != 0 => {
                self.target.need("C_DestroyObject", ck!(raw, C_DestroyObject, self.keeper, self.key))?;
                self.key = self.new_key()?;
            }
            Destroy => {}
            step => return Ok(self.call(step)),
        }
        Ok(CKR_OK)
    }

    /// Runs a sequence from a clean beginning; tells what is wrong with it.
    fn run(&mut self, sequence: &[Step]) -> Result<Option<String>, Stop> {
        self.step(Close)?;
        let mut states = IDLE;
        for (place, step) in sequence.iter().enumerate() {
            let code = self.step(*step)?;
            let before = states;
            states = (0..16)
                .map(|bit| 1 << bit)
                .filter(|state| before & state != 0)
                .fold(0, |next, state| next | self.next(state, *step, code));
            if states == 0 {
                let shown = &sequence[..=place];
                return Ok(Some(format!("{shown:?} answers {} (from the states {before:#b})", word(code))));
            }
        }
        Ok(None)
    }

    /// The states in which the operation may be after this answer: none when the answer is wrong.
    fn next(&self, state: States, step: Step, code: CK_RV) -> States {
        let allow = |right: bool, states: States| if right { states } else { 0 };
        let count = if (parts(0)..WAITING).contains(&state) { state.trailing_zeros() - 2 } else { 0 };
        // A question about a part may be the first part.
        let same = if state == BEGUN { BEGUN | parts(0) } else { state };
        match (step, state) {
            (Logout | Destroy, _) => state | IDLE,
            (Close, _) => IDLE,
            (Cancel, _) if self.cancel.is_none() => state,
            (Init, IDLE) => allow(code == CKR_OK, BEGUN),
            (Init, _) => allow(code == CKR_OPERATION_ACTIVE, state),
            // With nothing active it is a mistake, and a module of 2.40 has no such way to end an operation.
            (InitNull, _) if code == CKR_ARGUMENTS_BAD => allow(state == IDLE || self.cancel.is_none(), state),
            (InitNull | Cancel, IDLE) => allow([CKR_OK, CKR_OPERATION_NOT_INITIALIZED].contains(&code), IDLE),
            (InitNull | Cancel, _) => allow(code == CKR_OK, IDLE),
            (_, IDLE) => allow(code == CKR_OPERATION_NOT_INITIALIZED, IDLE),
            (Single, BEGUN) => allow(code == CKR_OK && self.output() == self.single, IDLE),
            (SingleQuery, BEGUN) => allow(code == CKR_OK, BEGUN),
            (Single, WAITING) => allow(code == CKR_OK && self.output() == self.single, IDLE),
            (SingleQuery, WAITING) => allow(code == CKR_OK, WAITING),
            (SingleSmall, WAITING) => allow(code == CKR_BUFFER_TOO_SMALL, WAITING),
            (Update | UpdateQuery | UpdateSmall | Final | FinalQuery | FinalSmall, WAITING) => {
                // As any error of these functions it may end the operation.
                allow(code == CKR_OPERATION_ACTIVE, WAITING | IDLE)
            }
            (SingleSmall, BEGUN) => {
                let waits = if self.kind.name == "decrypt" { WAITING } else { 0 };
                allow(code == CKR_BUFFER_TOO_SMALL, BEGUN | waits)
            }
            (Single | SingleQuery | SingleSmall, _) => {
                allow([CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED].contains(&code), state | IDLE)
            }
            (Update, _) => allow(code == CKR_OK, parts(count + 1)),
            (UpdateQuery | FinalQuery, _) => allow(code == CKR_OK, same),
            (UpdateSmall, _) => allow(code == CKR_BUFFER_TOO_SMALL, same),
            // A cipher of whole blocks has nothing left to give.
            (FinalSmall, _) if self.kind.steps == CIPHER => allow(code == CKR_OK, IDLE),
            (FinalSmall, _) => allow(code == CKR_BUFFER_TOO_SMALL, same),
            (Final, _) if self.verifies() => {
                allow(code == if count == 1 { CKR_OK } else { CKR_SIGNATURE_INVALID }, IDLE)
            }
            (Final, _) => allow(code == CKR_OK && self.ends.get(count as usize) == Some(&self.output()), IDLE),
        }
    }
}
