//! Every order of calls of a run of messages, against a model of the standard. Item 4.2.15.
//!
//! Owns: the model of C_MessageEncryptInit and its three sisters. What was given and came since a message began is counted here, so
//! that ciphertexts, plaintexts, tags and signatures are looked at byte by byte. Rule source: PKCS#11 3.2, 5.9, 5.11, 5.14 and 5.16.

use crate::calls::entry;
use crate::cases::Cases;
use crate::messages::gcm;
use crate::target::{Stop, Target, read, read_bytes};
use crate::walk::{self, IDLE, ROOM, Seat, States, allow};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;

/// A call, or something that happens to the session or the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Init,
    InitNull,
    Whole,
    WholeQuery,
    WholeSmall,
    Begin,
    Next,
    NextQuery,
    Last,
    LastQuery,
    LastSmall,
    Final,
    Cancel,
    Logout,
    Close,
    Destroy,
}

use Step::*;

/// With an output at each part.
const CIPHER: &[Step] = &[
    Init, InitNull, Whole, WholeQuery, WholeSmall, Begin, Next, NextQuery, Last, LastQuery, LastSmall, Final, Cancel,
    Logout, Close, Destroy,
];
/// With an output at the end.
const SIGN: &[Step] = &[
    Init, InitNull, Whole, WholeQuery, WholeSmall, Begin, Next, Last, LastQuery, LastSmall, Final, Cancel, Logout,
    Close, Destroy,
];
/// Without an output.
const VERIFY: &[Step] = &[Init, InitNull, Whole, Begin, Next, Last, Final, Cancel, Logout, Close, Destroy];

/// One kind of run.
struct Kind {
    name: &'static str,
    /// What its functions are called: init, whole message, begin, next, final.
    functions: [&'static str; 5],
    mechanism: CK_MECHANISM_TYPE,
    flag: CK_FLAGS,
    steps: &'static [Step],
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "encrypt messages",
        functions: [
            "C_MessageEncryptInit",
            "C_EncryptMessage",
            "C_EncryptMessageBegin",
            "C_EncryptMessageNext",
            "C_MessageEncryptFinal",
        ],
        mechanism: CKM_AES_GCM,
        flag: CKF_MESSAGE_ENCRYPT,
        steps: CIPHER,
    },
    Kind {
        name: "decrypt messages",
        functions: [
            "C_MessageDecryptInit",
            "C_DecryptMessage",
            "C_DecryptMessageBegin",
            "C_DecryptMessageNext",
            "C_MessageDecryptFinal",
        ],
        mechanism: CKM_AES_GCM,
        flag: CKF_MESSAGE_DECRYPT,
        steps: CIPHER,
    },
    Kind {
        name: "sign messages",
        functions: [
            "C_MessageSignInit",
            "C_SignMessage",
            "C_SignMessageBegin",
            "C_SignMessageNext",
            "C_MessageSignFinal",
        ],
        mechanism: CKM_SHA256_HMAC,
        flag: CKF_MESSAGE_SIGN,
        steps: SIGN,
    },
    Kind {
        name: "verify messages",
        functions: [
            "C_MessageVerifyInit",
            "C_VerifyMessage",
            "C_VerifyMessageBegin",
            "C_VerifyMessageNext",
            "C_MessageVerifyFinal",
        ],
        mechanism: CKM_SHA256_HMAC,
        flag: CKF_MESSAGE_VERIFY,
        steps: VERIFY,
    },
];

pub fn cases(cases: &mut Cases) {
    for (index, kind) in KINDS.iter().enumerate() {
        cases.add("4.2.15", kind.name, move |target| walk::every_order(target, &mut Desk::new(target, &KINDS[index])?));
    }
}

/// Further states beside `IDLE`: between two messages, and in one.
const BETWEEN: States = 2;
const WITHIN: States = 4;
const ANY: States = IDLE | BETWEEN | WITHIN;

const BLOCK: usize = 16;
/// No sequence gives a message more blocks.
const BLOCKS: usize = 9;
const TAG: usize = 16;

/// What the module is called with.
struct Desk<'t> {
    seat: Seat<'t>,
    kind: &'t Kind,
    entries: [usize; 5],
    mechanism: *mut CK_MECHANISM,
    parameter: *mut CK_GCM_MESSAGE_PARAMS,
    tag: *mut u8,
    /// What goes in, whatever the kind, as far as the longest message.
    input: Vec<u8>,
    /// What comes out of it.
    right: Vec<u8>,
    /// The tag or signature of a message of so many blocks.
    proofs: Vec<Vec<u8>>,
    /// The parts of the message under way that were taken, and the bytes that came for them.
    given: usize,
    came: usize,
    /// Whether they were right.
    is_right: bool,
}

impl<'t> Desk<'t> {
    fn new(target: &'t Target, kind: &'t Kind) -> Result<Self, Stop> {
        let mut entries = [0; 5];
        for (place, name) in entries.iter_mut().zip(kind.functions) {
            *place = entry(target, name)?;
        }
        let seat = match kind.mechanism {
            CKM_AES_GCM => Seat::new(target, CKK_AES, &[CKA_ENCRYPT, CKA_DECRYPT])?,
            _ => Seat::new(target, CKK_GENERIC_SECRET, &[CKA_SIGN, CKA_VERIFY])?,
        };
        let parameter = gcm(target, CKG_NO_GENERATE, &[0; TAG]);
        let text = vec![7; BLOCKS * BLOCK];
        let mut desk = Self {
            seat,
            kind,
            entries,
            mechanism: target.plain(kind.mechanism),
            parameter: target.value(parameter),
            tag: parameter.pTag,
            input: text.clone(),
            right: Vec::new(),
            proofs: vec![Vec::new()],
            given: 0,
            came: 0,
            is_right: true,
        };
        for blocks in 1..=BLOCKS {
            let (sealed, proof) = desk.sealed(&text[..blocks * BLOCK])?;
            desk.proofs.push(proof);
            desk.right = sealed;
        }
        if kind.name == "decrypt messages" {
            desk.input = std::mem::replace(&mut desk.right, text);
        }
        desk.control()?;
        Ok(desk)
    }

    /// A message by the functions that take one only: its ciphertext, and its tag or signature.
    fn sealed(&self, data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        let Seat { target, key, .. } = self.seat;
        if self.kind.mechanism != CKM_AES_GCM {
            let proof = target.raw.sign(target.session(), plain(self.kind.mechanism), key, data);
            return Ok((Vec::new(), target.answer("C_Sign", proof)?));
        }
        let message = read(self.parameter.cast_const());
        let older = CK_GCM_PARAMS {
            pIv: message.pIv,
            ulIvLen: message.ulIvLen,
            ulIvBits: message.ulIvLen * 8,
            pAAD: std::ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: message.ulTagBits,
        };
        let mechanism = read(target.with(CKM_AES_GCM, older).cast_const());
        let mut sealed = target.answer("C_Encrypt", target.raw.encrypt(target.session(), mechanism, key, data))?;
        let tag = sealed.split_off(data.len());
        Ok((sealed, tag))
    }

    /// A message in one call and one in two parts.
    fn control(&mut self) -> Result<(), Stop> {
        for step in [Init, Whole, Begin, Next, Last, Final] {
            let code = self.call(step);
            self.seat.target.need(&format!("{} ({step:?})", self.kind.name), code)?;
        }
        Ok(())
    }

    fn enciphers(&self) -> bool {
        self.kind.mechanism == CKM_AES_GCM
    }

    /// Makes one call and takes note of what was given and came.
    fn call(&mut self, step: Step) -> CK_RV {
        let code = self.made(step);
        match step {
            Begin if code == CKR_OK => (self.given, self.came, self.is_right) = (0, 0, true),
            Next if code == CKR_OK => {
                self.given += 1;
                self.take(self.given);
            }
            _ => {}
        }
        code
    }

    /// Looks at what came for a part, beside what came before it.
    fn take(&mut self, blocks: usize) {
        if !self.enciphers() {
            return;
        }
        let room = self.right.len().min(blocks * BLOCK);
        let most = room.saturating_sub(self.came);
        let come = (0..=most).find(|bytes| self.seat.wrote(&self.right[self.came..self.came + bytes]));
        match come {
            Some(bytes) => self.came += bytes,
            None => self.is_right = false,
        }
    }

    /// Whether the end of a message of so many blocks is right: all of it came, and its tag or signature.
    fn ends(&self, blocks: usize, came: usize) -> bool {
        let Some(proof) = self.proofs.get(blocks) else { return false };
        match self.kind.name {
            "verify messages" => true,
            "sign messages" => self.seat.wrote(proof),
            _ => {
                let has_tag = self.kind.name != "encrypt messages" || read_bytes(self.tag, TAG) == *proof;
                has_tag && self.seat.wrote(&self.right[came..blocks * BLOCK])
            }
        }
    }

    fn made(&self, step: Step) -> CK_RV {
        let blocks = if matches!(step, Whole | WholeQuery | WholeSmall) { 1 } else { self.given + 1 };
        let proof = self.proofs.get(blocks).map_or(&[][..], Vec::as_slice);
        let out = if matches!(step, WholeQuery | NextQuery | LastQuery) { 0 } else { self.seat.out as usize };
        let small = if self.enciphers() { BLOCK - 1 } else { proof.len().saturating_sub(1) };
        let length = self.seat.room(if matches!(step, WholeSmall | LastSmall) { small } else { ROOM });
        let data = self.input.as_ptr() as usize + (blocks - 1).min(BLOCKS - 1) * BLOCK;
        let (parameter, size) =
            if self.enciphers() { (self.parameter as usize, size_of::<CK_GCM_MESSAGE_PARAMS>()) } else { (0, 0) };
        if self.enciphers() {
            let tag = if self.kind.name == "decrypt messages" { proof } else { &[0; TAG] };
            for (at, byte) in tag.iter().enumerate() {
                // SAFETY: the tag's own memory, which is as long as a tag.
                unsafe { self.tag.wrapping_add(at).write(*byte) };
            }
        }
        let proof = (proof.as_ptr() as usize, proof.len());
        let verifies = self.kind.steps == VERIFY;
        let [init, whole, begin, next, end] = self.entries;
        match step {
            Init => self.seat.call(init, &[self.mechanism as usize, self.seat.key as usize]),
            InitNull => self.seat.call(init, &[0, 0]),
            Whole if verifies => self.seat.call(whole, &[0, 0, data, BLOCK, proof.0, proof.1]),
            Whole | WholeQuery | WholeSmall if self.enciphers() => {
                self.seat.call(whole, &[parameter, size, 0, 0, data, BLOCK, out, length])
            }
            Whole | WholeQuery | WholeSmall => self.seat.call(whole, &[0, 0, data, BLOCK, out, length]),
            Begin => self.seat.call(begin, &[parameter, size, 0, 0]),
            Next if verifies => self.seat.call(next, &[0, 0, data, BLOCK, 0, 0]),
            Last if verifies => self.seat.call(next, &[0, 0, data, BLOCK, proof.0, proof.1]),
            Next | NextQuery if self.enciphers() => {
                self.seat.call(next, &[parameter, size, data, BLOCK, out, length, 0])
            }
            Last | LastQuery | LastSmall if self.enciphers() => {
                self.seat.call(next, &[parameter, size, data, BLOCK, out, length, CKF_END_OF_MESSAGE as usize])
            }
            // Without a length there is more to follow.
            Next | NextQuery => self.seat.call(next, &[0, 0, data, BLOCK, 0, 0]),
            Last | LastQuery | LastSmall => self.seat.call(next, &[0, 0, data, BLOCK, out, length]),
            _ => self.seat.call(end, &[]),
        }
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
        let ok = code == CKR_OK;
        let none = code == CKR_OPERATION_NOT_INITIALIZED;
        match (step, state) {
            // Nothing says whether a run outlives its login or its key, and a message in it may go alone.
            (Logout | Destroy, WITHIN) => ANY,
            (Logout | Destroy, _) => state | IDLE,
            (Close, _) => IDLE,
            (Cancel, _) if !self.seat.cancels() => state,
            (Init, IDLE) => allow(ok, BETWEEN),
            (Init, _) => allow(code == CKR_OPERATION_ACTIVE, state),
            (InitNull, IDLE) => allow(ok || none || code == CKR_ARGUMENTS_BAD, IDLE),
            (Cancel, IDLE) => allow(ok || none, IDLE),
            (InitNull | Cancel, _) => allow(ok, IDLE),
            (_, IDLE) => allow(none, IDLE),
            (Whole, BETWEEN) => allow(ok && self.ends(1, 0), BETWEEN),
            (WholeQuery, BETWEEN) => allow(ok, BETWEEN),
            (WholeSmall, BETWEEN) => allow(code == CKR_BUFFER_TOO_SMALL, BETWEEN),
            (Begin, BETWEEN) => allow(ok, WITHIN),
            // An error ends what it ends: the message, if there is one, or the run.
            (Next | NextQuery | Last | LastQuery | LastSmall, BETWEEN) => allow(none, BETWEEN | IDLE),
            (Whole | WholeQuery | WholeSmall | Begin, _) => allow(none || code == CKR_OPERATION_ACTIVE, ANY),
            (Next, _) => allow(ok && self.is_right, WITHIN),
            (NextQuery | LastQuery, _) => allow(ok, WITHIN),
            (LastSmall, _) => allow(code == CKR_BUFFER_TOO_SMALL, WITHIN),
            (Last, _) => allow(ok && self.ends(self.given + 1, self.came), BETWEEN),
            (Final, BETWEEN) => allow(ok, IDLE),
            // A message under way may be given up with its run, or be in its way.
            (Final, _) if code == CKR_OPERATION_ACTIVE => WITHIN,
            (Final, _) => allow(ok, IDLE),
        }
    }
}
