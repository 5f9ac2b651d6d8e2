//! Every order of calls of two operations that share some of them, against a model of the standard. Item 4.2.15.
//!
//! Owns: the model of the dual functions. A state is a pair: how far the digest or signature is, and how far the cipher.
//! Rule source: PKCS#11 3.2, 5.20 (dual-function cryptographic functions).

use crate::calls::entry;
use crate::cases::Cases;
use crate::target::{Done, Stop, Target};
use crate::walk::{self, ROOM, Seat, States, allow};
use perilune_tests::ck::*;
use perilune_tests::raw::plain;

/// A call, or something that happens to the session. The first operation is the digest or signature, the second the cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    InitFirst,
    InitSecond,
    Both,
    BothQuery,
    BothSmall,
    UpdateFirst,
    UpdateSecond,
    FinalFirst,
    FinalSecond,
    CancelFirst,
    CancelSecond,
    Logout,
    Close,
}

use Step::*;

const STEPS: &[Step] = &[
    InitFirst,
    InitSecond,
    Both,
    BothQuery,
    BothSmall,
    UpdateFirst,
    UpdateSecond,
    FinalFirst,
    FinalSecond,
    CancelFirst,
    CancelSecond,
    Logout,
    Close,
];

/// One dual function with the functions of its two operations.
struct Kind {
    name: &'static str,
    both: &'static str,
    /// Init, update, final, and the flag of C_SessionCancel.
    first: ([&'static str; 3], CK_FLAGS),
    second: ([&'static str; 3], CK_FLAGS),
}

const DIGEST: ([&str; 3], CK_FLAGS) = (["C_DigestInit", "C_DigestUpdate", "C_DigestFinal"], CKF_DIGEST);
const SIGN: ([&str; 3], CK_FLAGS) = (["C_SignInit", "C_SignUpdate", "C_SignFinal"], CKF_SIGN);
const VERIFY: ([&str; 3], CK_FLAGS) = (["C_VerifyInit", "C_VerifyUpdate", "C_VerifyFinal"], CKF_VERIFY);
const ENCRYPT: ([&str; 3], CK_FLAGS) = (["C_EncryptInit", "C_EncryptUpdate", "C_EncryptFinal"], CKF_ENCRYPT);
const DECRYPT: ([&str; 3], CK_FLAGS) = (["C_DecryptInit", "C_DecryptUpdate", "C_DecryptFinal"], CKF_DECRYPT);

const KINDS: [Kind; 4] = [
    Kind { name: "digest and encrypt", both: "C_DigestEncryptUpdate", first: DIGEST, second: ENCRYPT },
    Kind { name: "decrypt and digest", both: "C_DecryptDigestUpdate", first: DIGEST, second: DECRYPT },
    Kind { name: "sign and encrypt", both: "C_SignEncryptUpdate", first: SIGN, second: ENCRYPT },
    Kind { name: "decrypt and verify", both: "C_DecryptVerifyUpdate", first: VERIFY, second: DECRYPT },
];

pub fn cases(cases: &mut Cases) {
    for (index, kind) in KINDS.iter().enumerate() {
        cases.add("4.2.15", kind.name, move |target| walk::every_order(target, &mut Desk::new(target, &KINDS[index])?));
    }
}

/// How far one operation is, as bits of a set: nothing active, begun, and so many parts.
type Far = u64;
const NONE: Far = 1;
const BEGUN: Far = 2;
/// Different answers for one operation; a pair of sets is a set of pairs.
const WIDTH: u32 = 8;

fn parts(count: u32) -> Far {
    // No sequence has more parts than there is room for; were there more, the last would stand for all.
    4 << count.min(WIDTH - 3)
}

fn count(far: Far) -> u32 {
    far.trailing_zeros().saturating_sub(2)
}

/// All pairs of one of these and one of those.
fn pairs(first: Far, second: Far) -> States {
    (0..WIDTH).filter(|bit| first >> bit & 1 != 0).fold(0, |all, bit| all | second << (bit * WIDTH))
}

/// What the module is called with.
struct Desk<'t> {
    seat: Seat<'t>,
    kind: &'t Kind,
    both: usize,
    first: [usize; 3],
    second: [usize; 3],
    /// The mechanisms of both, and the key of the first.
    mechanisms: [*mut CK_MECHANISM; 2],
    first_key: CK_OBJECT_HANDLE,
    /// What the first takes, what the second takes, what comes out of it.
    text: Vec<u8>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The digest or signature after so many parts.
    ends: Vec<Vec<u8>>,
}

impl<'t> Desk<'t> {
    fn new(target: &'t Target, kind: &'t Kind) -> Result<Self, Stop> {
        let mut seat = Seat::new(target, CKK_AES, &[CKA_ENCRYPT, CKA_DECRYPT])?;
        let find = |names: [&'static str; 3]| -> Result<[usize; 3], Stop> {
            Ok([entry(target, names[0])?, entry(target, names[1])?, entry(target, names[2])?])
        };
        let mac = Seat::new(target, CKK_GENERIC_SECRET, &[CKA_SIGN, CKA_VERIFY])?;
        let text = vec![7; 16];
        let sealed = target.raw.encrypt(target.session(), plain(CKM_AES_ECB), seat.key, &text);
        let sealed = target.answer("C_Encrypt", sealed)?;
        let decrypts = kind.second.1 == CKF_DECRYPT;
        let (input, output) = if decrypts { (sealed, text.clone()) } else { (text.clone(), sealed) };
        let first = if kind.first.1 == CKF_DIGEST { CKM_SHA256 } else { CKM_SHA256_HMAC };
        seat.close()?;
        let mut desk = Self {
            seat,
            kind,
            both: entry(target, kind.both)?,
            first: find(kind.first.0)?,
            second: find(kind.second.0)?,
            mechanisms: [target.plain(first), target.plain(CKM_AES_ECB)],
            first_key: mac.key,
            text,
            input,
            output,
            ends: Vec::new(),
        };
        desk.learn(first)?;
        Ok(desk)
    }

    /// The right ends, by the functions of one operation; then one part for both.
    fn learn(&mut self, kind: CK_MECHANISM_TYPE) -> Done {
        let target = self.seat.target;
        for parts in 0..WIDTH as usize {
            let data = self.text.repeat(parts);
            let end = if kind == CKM_SHA256 {
                let (begun, out) = (self.call(InitFirst), self.seat.out);
                target.need("C_DigestInit", begun)?;
                let (place, room) = (target.bytes(&data), self.seat.room(ROOM) as *mut CK_ULONG);
                let code = perilune_tests::ck!(
                    target.raw,
                    C_Digest,
                    self.seat.session,
                    place,
                    data.len() as CK_ULONG,
                    out,
                    room
                );
                target.need("C_Digest", code).map(|()| self.seat.output())?
            } else {
                target.answer("C_Sign", target.raw.sign(target.session(), plain(kind), self.first_key, &data))?
            };
            self.ends.push(end);
        }
        let (first, second) = (self.call(InitFirst), self.call(InitSecond));
        target.need("the first beginning", first)?;
        let both = if second == CKR_OPERATION_ACTIVE { CKR_FUNCTION_NOT_SUPPORTED } else { second };
        target.need("a second operation beside the first", both)?;
        for step in [Both, FinalFirst, FinalSecond] {
            target.need(&format!("{step:?}"), self.call(step))?;
        }
        Ok(())
    }

    fn verifies(&self) -> bool {
        self.kind.first.1 == CKF_VERIFY
    }

    fn call(&self, step: Step) -> CK_RV {
        let seat = &self.seat;
        let (data, bytes) = (self.input.as_ptr() as usize, self.input.len());
        let out = if step == BothQuery { 0 } else { seat.out as usize };
        let length = seat.room(if step == BothSmall { bytes - 1 } else { ROOM });
        match step {
            InitFirst if self.kind.first.1 == CKF_DIGEST => seat.call(self.first[0], &[self.mechanisms[0] as usize]),
            InitFirst => seat.call(self.first[0], &[self.mechanisms[0] as usize, self.first_key as usize]),
            InitSecond => seat.call(self.second[0], &[self.mechanisms[1] as usize, seat.key as usize]),
            Both | BothQuery | BothSmall => seat.call(self.both, &[data, bytes, out, length]),
            UpdateFirst => seat.call(self.first[1], &[self.text.as_ptr() as usize, self.text.len()]),
            UpdateSecond => seat.call(self.second[1], &[data, bytes, out, length]),
            FinalFirst if self.verifies() => {
                let proof = &self.ends[1];
                seat.call(self.first[2], &[proof.as_ptr() as usize, proof.len()])
            }
            FinalFirst => seat.call(self.first[2], &[out, length]),
            _ => seat.call(self.second[2], &[out, length]),
        }
    }

    /// What may follow of the operation that the step is about, when it is alone in it.
    fn alone(&self, far: Far, step: Step, code: CK_RV) -> Far {
        let (ok, none) = (code == CKR_OK, code == CKR_OPERATION_NOT_INITIALIZED);
        match (step, far) {
            (InitFirst | InitSecond, NONE) => allow(ok, BEGUN),
            (InitFirst | InitSecond, _) => allow(code == CKR_OPERATION_ACTIVE, far),
            (CancelFirst | CancelSecond, _) if !self.seat.cancels() => far,
            (CancelFirst | CancelSecond, NONE) => allow(ok || none, NONE),
            (CancelFirst | CancelSecond, _) => allow(ok, NONE),
            (_, NONE) => allow(none, NONE),
            (UpdateFirst, _) => allow(ok, parts(count(far) + 1)),
            (UpdateSecond, _) => allow(ok && self.seat.wrote(&self.output), parts(count(far) + 1)),
            (FinalFirst, _) if self.verifies() => {
                allow(code == if count(far) == 1 { CKR_OK } else { CKR_SIGNATURE_INVALID }, NONE)
            }
            (FinalFirst, _) => allow(ok && self.seat.wrote(&self.ends[count(far) as usize]), NONE),
            // A cipher of whole blocks has nothing left to give.
            _ => allow(ok && self.seat.wrote(&[]), NONE),
        }
    }
}

impl walk::Desk for Desk<'_> {
    type Step = Step;
    const CLOSE: Step = Close;

    fn steps(&self) -> &'static [Step] {
        STEPS
    }

    fn step(&mut self, step: Step) -> Result<CK_RV, Stop> {
        match step {
            CancelFirst => Ok(self.seat.cancel(self.kind.first.1)),
            CancelSecond => Ok(self.seat.cancel(self.kind.second.1)),
            Logout => self.seat.log_out(),
            Close => self.seat.close(),
            step => Ok(self.call(step)),
        }
    }

    fn next(&self, state: States, step: Step, code: CK_RV) -> States {
        let bit = state.trailing_zeros();
        let (first, second) = (1 << (bit / WIDTH), 1 << (bit % WIDTH));
        // A question about a part may be the first part.
        let same = |far: Far| if far == BEGUN { BEGUN | parts(0) } else { far };
        match step {
            Close => pairs(NONE, NONE),
            Logout => pairs(first | NONE, second | NONE),
            // Without both there is an error, which may end the one that is there.
            Both | BothQuery | BothSmall if first == NONE || second == NONE => {
                allow(code == CKR_OPERATION_NOT_INITIALIZED, pairs(first | NONE, second | NONE))
            }
            Both => {
                let right = code == CKR_OK && self.seat.wrote(&self.output);
                allow(right, pairs(parts(count(first) + 1), parts(count(second) + 1)))
            }
            BothQuery => allow(code == CKR_OK, pairs(same(first), same(second))),
            BothSmall => allow(code == CKR_BUFFER_TOO_SMALL, pairs(same(first), same(second))),
            InitFirst | UpdateFirst | FinalFirst | CancelFirst => pairs(self.alone(first, step, code), second),
            _ => pairs(first, self.alone(second, step, code)),
        }
    }
}
