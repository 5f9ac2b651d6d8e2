//! Cases about the IVs that the token makes for messages, and when IV and tag are written back. Item 4.2.9.
//!
//! A caller who gives his own IVs (CKG_NO_GENERATE) answers for them himself; what the token makes must never come twice in a run, and
//! a run has one way of making them. Rule source: PKCS#11 3.2, 5.9 and 6.13 (generator functions); NIST SP 800-38D, 8.

use crate::calls::{begin_with, entry};
use crate::cases::Cases;
use crate::target::{Done, Stop, Target, read, read_bytes, word};
use perilune_tests::ck::*;
use perilune_tests::raw::call_words;
use std::ptr::null_mut;

pub fn cases(cases: &mut Cases) {
    cases.add("4.2.9", "counters count, laid over the fixed bits and beside them", counters);
    cases.add("4.2.9", "the fixed bits are the first, down to the single bit", fixed_bits);
    cases.add("4.2.9", "no IV comes again when the counter is used up", used_up);
    cases.add("4.2.9", "a run has one way of making IVs", one_way);
    cases.add("4.2.9", "nothing is written back for a question, too little room or an error", nothing_early);
    cases.add("4.2.9", "the tag comes with the last part, and the IV with the beginning", in_parts);
    cases.add("4.2.9", "a random IV wants room, and is drawn anew in each run", randomness);
    cases.add("4.2.9", "a message opens with the IV and tag that came back, and with no other", opens);
}

/// A message in the making: its parameter, and what the last call wrote.
struct Run<'t> {
    target: &'t Target,
    iv: *mut u8,
    tag: *mut u8,
    out: *mut u8,
    iv_bytes: usize,
}

const TEXT: [u8; 40] = [0xA5; 40];
const SIZE: usize = size_of::<CK_GCM_MESSAGE_PARAMS>();

impl<'t> Run<'t> {
    /// A new run of messages to encrypt, with an IV of that many bytes.
    fn start(target: &'t Target, iv_bytes: usize) -> Result<Self, Stop> {
        target.begin_again()?;
        let key = target.aes()?;
        for init in ["C_MessageEncryptInit", "C_MessageDecryptInit"] {
            target.need(init, begin_with(target, init, target.plain(CKM_AES_GCM), key)?)?;
        }
        Ok(Self { target, iv: target.room(iv_bytes), tag: target.room(16), out: target.room(TEXT.len()), iv_bytes })
    }

    fn set(&self, place: *mut u8, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: the place has as many bytes.
            unsafe { place.wrapping_add(at).write(*byte) };
        }
    }

    fn params(&self, generator: CK_GENERATOR_FUNCTION, fixed: CK_ULONG) -> *mut CK_GCM_MESSAGE_PARAMS {
        self.target.value(CK_GCM_MESSAGE_PARAMS {
            pIv: self.iv,
            ulIvLen: self.iv_bytes as CK_ULONG,
            ulIvFixedBits: fixed,
            ivGenerator: generator,
            pTag: self.tag,
            ulTagBits: 128,
        })
    }

    /// C_EncryptMessage or C_DecryptMessage of bytes into this place with this room.
    fn message(&self, name: &str, params: *mut CK_GCM_MESSAGE_PARAMS, data: &[u8], out: *mut u8, room: u64) -> CK_RV {
        let Ok(entry) = entry(self.target, name) else { return CKR_FUNCTION_NOT_SUPPORTED };
        let (data_at, room) = (self.target.bytes(data), self.target.value(room as CK_ULONG));
        let session = self.target.session() as usize;
        call_words(
            entry,
            [session, params as usize, SIZE, 0, 0, data_at as usize, data.len(), out as usize, room as usize, 0],
        )
    }

    /// Encrypts a message whose IV begins as given; the IV that comes back.
    fn encrypt(&self, generator: CK_GENERATOR_FUNCTION, fixed: CK_ULONG, iv: &[u8]) -> Result<Vec<u8>, CK_RV> {
        self.set(self.iv, iv);
        self.set(self.tag, &[0; 16]);
        match self.message("C_EncryptMessage", self.params(generator, fixed), &TEXT, self.out, TEXT.len() as u64) {
            CKR_OK => Ok(read_bytes(self.iv, self.iv_bytes)),
            code => Err(code),
        }
    }
}

const REFUSED: [CK_RV; 2] = [CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD];

fn counters(target: &Target) -> Done {
    for (generator, base) in
        [(CKG_GENERATE_COUNTER, *b"fixd________"), (CKG_GENERATE_COUNTER_XOR, *b"fixd\x01\x02\x03\x04\x05\x06\x07\x08")]
    {
        let run = Run::start(target, 12)?;
        let mut seen = Vec::new();
        for count in 0..300u64 {
            let iv = target.answer("C_EncryptMessage", run.encrypt(generator, 32, &base))?;
            target.effect(&format!("{generator}: the fixed bits became {:x?}", &iv[..4]), iv.starts_with(b"fixd"));
            let number = u64::from_be_bytes(iv[4..].try_into().expect("eight bytes"));
            let over =
                if generator == CKG_GENERATE_COUNTER_XOR { u64::from_be_bytes([1, 2, 3, 4, 5, 6, 7, 8]) } else { 0 };
            // Where a counter begins is the token's business; that it counts is not.
            seen.push((number ^ over).wrapping_sub(count));
        }
        seen.dedup();
        target.effect(&format!("{generator}: the counter does not count by one"), seen.len() == 1);
    }
    Ok(())
}

fn fixed_bits(target: &Target) -> Done {
    for fixed in [0, 1, 7, 8, 9, 13, 31, 64, 90] {
        for ones in [0x00, 0xFF] {
            let run = Run::start(target, 12)?;
            let base = [ones; 12];
            for _ in 0..20 {
                let iv = target.answer("C_EncryptMessage", run.encrypt(CKG_GENERATE_COUNTER, fixed, &base))?;
                let bits = |bytes: &[u8]| -> Vec<bool> {
                    (0..fixed as usize).map(|bit| bytes[bit / 8] >> (7 - bit % 8) & 1 == 1).collect()
                };
                target.effect(&format!("{fixed} fixed bits of {ones:#x} became {iv:x?}"), bits(&iv) == bits(&base));
            }
        }
    }
    let run = Run::start(target, 12)?;
    for fixed in [96, 97, 128, CK_ULONG::MAX] {
        let code = run.encrypt(CKG_GENERATE_COUNTER, fixed, &[0; 12]).err().unwrap_or(CKR_OK);
        target.expect(&format!("{fixed} fixed bits of 96"), code, &REFUSED);
    }
    Ok(())
}

/// Three free bits make eight IVs; the ninth would be the first again.
fn used_up(target: &Target) -> Done {
    for generator in [CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR] {
        let run = Run::start(target, 12)?;
        let mut seen = Vec::new();
        let mut code = CKR_OK;
        for _ in 0..20 {
            match run.encrypt(generator, 93, &[7; 12]) {
                Ok(iv) => seen.push(iv),
                Err(refused) => code = refused,
            }
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        target.effect(&format!("{generator}: {count} messages with {} IVs", seen.len()), seen.len() == count);
        target.effect(&format!("{generator}: {count} messages with three bits"), count <= 8);
        target.control("the first messages", count > 0)?;
        // The standard has no word for it.
        target.effect(&format!("{generator}: one message more: {}", word(code)), code != CKR_OK);
        // The run itself is not over, and its end is as always.
        let end =
            call_words(entry(target, "C_MessageEncryptFinal")?, [target.session() as usize, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        target.expect("the end of the run", end, &[CKR_OK]);
    }
    Ok(())
}

/// Two ways, or two lengths, may come to one IV.
fn one_way(target: &Target) -> Done {
    type Way = (CK_GENERATOR_FUNCTION, CK_ULONG);
    let counter: Way = (CKG_GENERATE_COUNTER, 32);
    let others: [Way; 6] = [
        (CKG_GENERATE_COUNTER, 31),
        (CKG_GENERATE_COUNTER, 40),
        (CKG_GENERATE, 32),
        (CKG_GENERATE_RANDOM, 32),
        (CKG_GENERATE_COUNTER_XOR, 32),
        (CKG_NO_GENERATE, 32),
    ];
    for other in others {
        for (first, second) in [(counter, other), (other, counter)] {
            let run = Run::start(target, 12)?;
            let what = format!("{} with {} fixed bits after {} with {}", second.0, second.1, first.0, first.1);
            let begun = run.encrypt(first.0, first.1, b"fixd\0\0\0\0\0\0\0\0");
            target.answer("C_EncryptMessage", begun)?;
            target.at(&what);
            let code = run.encrypt(second.0, second.1, b"fixd\0\0\0\0\0\0\0\0").err().unwrap_or(CKR_OK);
            target.expect(&what, code, &REFUSED);
            let again = run.encrypt(first.0, first.1, b"fixd\0\0\0\0\0\0\0\0").err().unwrap_or(CKR_OK);
            target.expect(&format!("the first way after {what}"), again, &[CKR_OK]);
        }
    }
    let run = Run::start(target, 12)?;
    for generator in [99, CK_ULONG::MAX] {
        let code = run.encrypt(generator, 32, &[0; 12]).err().unwrap_or(CKR_OK);
        target.expect(&format!("the generator {generator:#x}"), code, &REFUSED);
    }
    Ok(())
}

fn nothing_early(target: &Target) -> Done {
    let run = Run::start(target, 12)?;
    target.answer("C_EncryptMessage", run.encrypt(CKG_GENERATE_COUNTER, 32, b"fixd________"))?;
    let params = || run.params(CKG_GENERATE_COUNTER, 32);
    let length = TEXT.len() as u64;
    let all = usize::MAX;
    let (iv, tag) = (b"fixdUNTOUCHD", [0x5A; 16]);
    let last = u64::from_be_bytes(read_bytes(run.iv, 12)[4..].try_into().expect("eight bytes"));
    for (what, data, out, room, allowed) in [
        ("a question", Some(&TEXT[..]), null_mut(), 0, CKR_OK),
        ("no room", Some(&TEXT), run.out, 0, CKR_BUFFER_TOO_SMALL),
        ("room for all but a byte", Some(&TEXT), run.out, length - 1, CKR_BUFFER_TOO_SMALL),
        ("a message without end", None, run.out, length, CKR_ARGUMENTS_BAD),
    ] {
        run.set(run.iv, iv);
        run.set(run.tag, &tag);
        target.at(what);
        let code = match data {
            Some(data) => run.message("C_EncryptMessage", params(), data, out, room),
            None => {
                let (data, room) = (target.bytes(&TEXT), target.value(room as CK_ULONG));
                let (session, params) = (target.session() as usize, params() as usize);
                let words = [session, params, SIZE, 0, 0, data as usize, all, out as usize, room as usize, 0];
                call_words(entry(target, "C_EncryptMessage")?, words)
            }
        };
        target.expect(what, code, &[allowed, CKR_DATA_LEN_RANGE][..1 + usize::from(data.is_none())]);
        let untouched = read_bytes(run.iv, 12) == iv && read_bytes(run.tag, 16) == tag;
        target.effect(&format!("{what}: IV or tag was written"), untouched);
    }
    // None of that used an IV up.
    let next = target.answer("C_EncryptMessage", run.encrypt(CKG_GENERATE_COUNTER, 32, b"fixd________"))?;
    let next = u64::from_be_bytes(next[4..].try_into().expect("eight bytes"));
    target.effect(&format!("after {last} comes {next}"), next == last + 1);
    Ok(())
}

fn in_parts(target: &Target) -> Done {
    let run = Run::start(target, 12)?;
    let params = run.params(CKG_GENERATE, 32);
    run.set(run.iv, b"fixd________");
    let session = target.session() as usize;
    let begin =
        call_words(entry(target, "C_EncryptMessageBegin")?, [session, params as usize, SIZE, 0, 0, 0, 0, 0, 0, 0]);
    target.need("C_EncryptMessageBegin", begin)?;
    let iv = read_bytes(run.iv, 12);
    target.effect("the beginning gives no IV", iv.starts_with(b"fixd") && iv != b"fixd________");
    let next = entry(target, "C_EncryptMessageNext")?;
    for part in 0..4 {
        target.effect("a tag before the end", read_bytes(run.tag, 16) == [0; 16]);
        let (data, room) = (target.bytes(&TEXT[..10]), target.value(16 as CK_ULONG));
        let flag = if part == 3 { CKF_END_OF_MESSAGE as usize } else { 0 };
        let out = target.room(16) as usize;
        let code =
            call_words(next, [session, params as usize, SIZE, data as usize, 10, out, room as usize, flag, 0, 0]);
        target.expect(&format!("part {part}"), code, &[CKR_OK]);
        target.effect("the IV changed on the way", read_bytes(run.iv, 12) == iv);
    }
    target.effect("no tag at the end", read_bytes(run.tag, 16) != [0; 16]);
    Ok(())
}

fn randomness(target: &Target) -> Done {
    for generator in [CKG_GENERATE, CKG_GENERATE_RANDOM] {
        let mut seen = Vec::new();
        let run = Run::start(target, 12)?;
        for _ in 0..20 {
            // The same key: another run with the same IV would give both away.
            let end = call_words(
                entry(target, "C_MessageEncryptFinal")?,
                [target.session() as usize, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            );
            target.need("C_MessageEncryptFinal", end)?;
            let begun = begin_with(target, "C_MessageEncryptInit", target.plain(CKM_AES_GCM), target.aes()?)?;
            target.need("C_MessageEncryptInit", begun)?;
            for _ in 0..3 {
                seen.push(target.answer("C_EncryptMessage", run.encrypt(generator, 0, &[0; 12]))?);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        target.effect(&format!("{generator}: {} IVs in 20 runs of 3 messages", seen.len()), seen.len() == 60);
    }
    // So few random bits come twice before the first lunch.
    let run = Run::start(target, 12)?;
    let mut seen = Vec::new();
    for _ in 0..64 {
        match run.encrypt(CKG_GENERATE_RANDOM, 92, &[0; 12]) {
            Ok(iv) => seen.push(iv),
            Err(code) => target.expect("four random bits", code, &REFUSED),
        }
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    target.effect(&format!("{count} messages with {} IVs of four bits", seen.len()), seen.len() == count);
    Ok(())
}

fn opens(target: &Target) -> Done {
    let run = Run::start(target, 12)?;
    for generator in [CKG_GENERATE, CKG_NO_GENERATE] {
        let run = if generator == CKG_GENERATE { &run } else { &Run::start(target, 12)? };
        target.answer("C_EncryptMessage", run.encrypt(generator, 32, b"fixd________"))?;
        let sealed = read_bytes(run.out, TEXT.len());
        let (iv, tag) = (read_bytes(run.iv, 12), read_bytes(run.tag, 16));
        target.effect("a caller's own IV was changed", generator == CKG_GENERATE || iv == b"fixd________");
        let open = |place: Option<(*mut u8, usize)>| {
            run.set(run.iv, &iv);
            run.set(run.tag, &tag);
            if let Some((place, at)) = place {
                run.set(place.wrapping_add(at), &[read::<u8>(place.wrapping_add(at)) ^ 1]);
            }
            let out = target.room(TEXT.len());
            let params = run.params(CKG_NO_GENERATE, 0);
            (run.message("C_DecryptMessage", params, &sealed, out, TEXT.len() as u64), read_bytes(out, TEXT.len()))
        };
        let (code, opened) = open(None);
        target.control(&format!("it opens: {}", word(code)), code == CKR_OK && opened == TEXT)?;
        for place in [(run.iv, 0), (run.iv, 11), (run.tag, 0), (run.tag, 15)] {
            let (code, opened) = open(Some(place));
            target.expect("another IV or tag", code, &[CKR_AEAD_DECRYPT_FAILED, CKR_ENCRYPTED_DATA_INVALID]);
            // A few bytes of any other text are the same by chance.
            let same = opened.iter().filter(|byte| **byte == 0xA5).count();
            target.effect("plaintext is given away", same < 8);
        }
    }
    Ok(())
}
