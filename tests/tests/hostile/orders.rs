//! Every order of calls of one operation, against a model of the standard. Item 4.2.15.
//!
//! Owns: the model of operations that stand alone. Runs of messages are in `orders_messages`, two operations in one call in
//! `orders_pairs`, the walk through all sequences in `walk`.
//! Rule source: PKCS#11 3.2, 5.2, 5.6 and 5.8 to 5.15.

use crate::calls::entry;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target};
use crate::walk::{self, IDLE, ROOM, Seat, States, allow};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;

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
        cases.add("4.2.15", kind.name, move |target| walk::every_order(target, &mut Desk::new(target, &KINDS[index])?));
    }
}

/// Further states beside `IDLE`: begun, and so many parts.
const BEGUN: States = 2;
/// Decrypted already, and kept until there is room for it: it takes no further part.
const WAITING: States = 1 << 15;

fn parts(count: u32) -> States {
    4 << count
}

/// What the module is called with.
struct Desk<'t> {
    seat: Seat<'t>,
    kind: &'t Kind,
    entries: [usize; 4],
    mechanism: *mut CK_MECHANISM,
    /// The key of a pair, which stays.
    pair: CK_OBJECT_HANDLE,
    data: Vec<u8>,
    proof: Vec<u8>,
    /// The right output of a single call, and of the end after 0, 1, 2, ... parts.
    single: Vec<u8>,
    ends: Vec<Vec<u8>>,
}

impl<'t> Desk<'t> {
    fn new(target: &'t Target, kind: &'t Kind) -> Result<Self, Stop> {
        let mut entries = [0; 4];
        for (place, name) in entries.iter_mut().zip(kind.functions).filter(|(_, name)| !name.is_empty()) {
            *place = entry(target, name)?;
        }
        let seat = match kind.mechanism {
            CKM_AES_ECB => Seat::new(target, CKK_AES, &[CKA_ENCRYPT, CKA_DECRYPT])?,
            CKM_SHA256_HMAC => Seat::new(target, CKK_GENERIC_SECRET, &[CKA_SIGN, CKA_VERIFY])?,
            _ => Seat::new(target, 0, &[])?,
        };
        let pair = match kind.name {
            "sign recover" => target.rsa()?.1,
            "verify recover" => target.rsa()?.0,
            _ => 0,
        };
        let mut desk = Self {
            seat,
            kind,
            entries,
            mechanism: target.plain(kind.mechanism),
            pair,
            data: vec![7; 16],
            proof: Vec::new(),
            single: Vec::new(),
            ends: Vec::new(),
        };
        if kind.name.starts_with("verify") {
            let (signs, mechanism) = match kind.mechanism {
                CKM_RSA_PKCS => (target.rsa()?.1, CKM_RSA_PKCS),
                other => (desk.seat.key, other),
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

    /// The right outputs, each from a clean beginning: the positive control.
    fn learn(&mut self) -> Done {
        let target = self.seat.target;
        target.need("the beginning", self.call(Init))?;
        target.need("a single call", self.call(Single))?;
        self.single = self.output();
        for count in 0..8 {
            if self.entries[3] == 0 {
                break;
            }
            target.need("the beginning", self.call(Init))?;
            for _ in 0..count {
                target.need("a part", self.call(Update))?;
            }
            let code = self.call(Final);
            if !self.verifies() {
                target.need("the end", code)?;
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
        if self.verifies() { Vec::new() } else { self.seat.output() }
    }

    /// Whether the last call wrote this, where it writes anything.
    fn wrote(&self, right: &[u8]) -> bool {
        self.verifies() || self.seat.wrote(right)
    }

    /// Makes one call; steps that are none are in [`Self::step`].
    fn call(&self, step: Step) -> CK_RV {
        let length = self.seat.room(match step {
            SingleSmall => self.single.len().saturating_sub(1),
            FinalSmall => self.ends.first().map_or(0, |end| end.len().saturating_sub(1)),
            UpdateSmall => 15,
            _ => ROOM,
        });
        let out = if matches!(step, SingleQuery | UpdateQuery | FinalQuery) { 0 } else { self.seat.out as usize };
        let (data, bytes) = (self.data.as_ptr() as usize, self.data.len());
        let (proof, proof_bytes) = (self.proof.as_ptr() as usize, self.proof.len());
        let first = self.kind.name == "verify signature";
        let (index, rest): (usize, [usize; 4]) = match step {
            // The signature goes with the beginning; other beginnings do not look at it.
            Init => (0, [self.mechanism as usize, (self.pair | self.seat.key) as usize, proof, proof_bytes]),
            InitNull => (0, [0; 4]),
            Single if self.verifies() && !first => (1, [data, bytes, proof, proof_bytes]),
            Single | SingleQuery | SingleSmall => (1, [data, bytes, out, length]),
            Update | UpdateQuery | UpdateSmall => (2, [data, bytes, out, length]),
            Final if self.verifies() => (3, [proof, proof_bytes, 0, 0]),
            _ => (3, [out, length, 0, 0]),
        };
        self.seat.call(self.entries[index], &rest)
    }
}

impl walk::Desk for Desk<'_> {
    type Step = Step;
    const CLOSE: Step = Close;

    fn steps(&self) -> &'static [Step] {
        self.kind.steps
    }

    fn step(&mut self, step: Step) -> Result<CK_RV, Stop> {
        match step {
            Cancel => Ok(self.seat.cancel(self.kind.flag)),
            Logout => self.seat.log_out(),
            Close => self.seat.close(),
            Destroy => self.seat.destroy(),
            step => Ok(self.call(step)),
        }
    }

    fn next(&self, state: States, step: Step, code: CK_RV) -> States {
        let count = if (parts(0)..WAITING).contains(&state) { state.trailing_zeros() - 2 } else { 0 };
        // A question about a part may be the first part.
        let same = if state == BEGUN { BEGUN | parts(0) } else { state };
        match (step, state) {
            (Logout | Destroy, _) => state | IDLE,
            (Close, _) => IDLE,
            (Cancel, _) if !self.seat.cancels() => state,
            (Init, IDLE) => allow(code == CKR_OK, BEGUN),
            (Init, _) => allow(code == CKR_OPERATION_ACTIVE, state),
            // With nothing active it is a mistake, and a module of 2.40 has no such way to end an operation.
            (InitNull, _) if code == CKR_ARGUMENTS_BAD => allow(state == IDLE || !self.seat.cancels(), state),
            (InitNull | Cancel, IDLE) => allow([CKR_OK, CKR_OPERATION_NOT_INITIALIZED].contains(&code), IDLE),
            (InitNull | Cancel, _) => allow(code == CKR_OK, IDLE),
            (_, IDLE) => allow(code == CKR_OPERATION_NOT_INITIALIZED, IDLE),
            (Single, BEGUN) => allow(code == CKR_OK && self.wrote(&self.single), IDLE),
            (SingleQuery, BEGUN) => allow(code == CKR_OK, BEGUN),
            (Single, WAITING) => allow(code == CKR_OK && self.wrote(&self.single), IDLE),
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
            (Final, _) => {
                let right = self.ends.get(count as usize).is_some_and(|end| self.wrote(end));
                allow(code == CKR_OK && right, IDLE)
            }
        }
    }
}
