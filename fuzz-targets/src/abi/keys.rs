//! Whole uses of a key, for targets whose input is not a program: encrypt, unwrap, sign.
//!
//! Owns: those calls, all answers of which are held against the rules. Does not know: why somebody asks for them.

use super::answers;
use super::memory::Memory;
use super::world::{World, ck};
use ffi_headers::*;
use std::ptr::null_mut;

/// The place among the planted objects of an AES key that everybody may see.
const OPEN_AES: usize = 6;

impl World {
    /// What the open AES key makes of `data`, with padding.
    pub fn encrypt(&self, session: CK_SESSION_HANDLE, data: &[u8]) -> Vec<u8> {
        let mut memory = Memory::default();
        let mechanism = cbc_pad(&mut memory);
        let key = self.planted[OPEN_AES];
        assert_eq!(ck!(self.functions, C_EncryptInit, session, mechanism, key), CKR_OK);
        let room = data.len() + 16;
        let (input, out) = (memory.constant(data, 0), memory.writable(&vec![0; room], 0));
        let length = memory.of(&(room as CK_ULONG), 0);
        assert_eq!(ck!(self.functions, C_Encrypt, session, input, data.len() as CK_ULONG, out, length), CKR_OK);
        memory.check("C_Encrypt");
        let length = usize::try_from(memory.value(length)).expect("a length of memory");
        (0..length).map(|place| memory.value(out.wrapping_add(place))).collect()
    }

    /// Unwraps a key with the open AES key.
    pub fn unwrap(
        &self,
        session: CK_SESSION_HANDLE,
        wrapped: &[u8],
        class: CK_OBJECT_CLASS,
        key_type: CK_KEY_TYPE,
    ) -> Option<CK_OBJECT_HANDLE> {
        let mut memory = Memory::default();
        let mechanism = cbc_pad(&mut memory);
        let (class, key_type) = (memory.of(&class, 0), memory.of(&key_type, 0));
        let number = |type_, place: *mut CK_ULONG| CK_ATTRIBUTE { type_, pValue: place.cast(), ulValueLen: 8 };
        let mut template = [number(CKA_CLASS, class), number(CKA_KEY_TYPE, key_type)];
        let (data, place) = (memory.constant(wrapped, 0), memory.of::<CK_OBJECT_HANDLE>(&0, 0));
        let code = ck!(
            self.functions,
            C_UnwrapKey,
            session,
            mechanism,
            self.planted[OPEN_AES],
            data,
            wrapped.len() as CK_ULONG,
            template.as_mut_ptr(),
            2,
            place
        );
        memory.check("C_UnwrapKey");
        answers::check("C_UnwrapKey", code);
        (code == CKR_OK).then(|| memory.value(place))
    }

    /// Signs with a key if it can: whatever numbers it is made of, that ends with a signature or a refusal.
    pub fn use_key(&self, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
        for kind in [CKM_SHA256_RSA_PKCS, CKM_ECDSA_SHA256, CKM_EDDSA, CKM_ML_DSA] {
            let mut memory = Memory::default();
            let mechanism = CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 };
            let mechanism = memory.of(&mechanism, 0);
            let code = ck!(self.functions, C_SignInit, session, mechanism, key);
            answers::check("C_SignInit", code);
            if code != CKR_OK {
                continue;
            }
            let (data, out) = (memory.constant(b"data", 0), memory.writable(&[0; 8192], 0));
            let length = memory.of::<CK_ULONG>(&8192, 0);
            let code = ck!(self.functions, C_Sign, session, data, 4, out, length);
            memory.check("C_Sign");
            answers::check("C_Sign", code);
        }
    }
}

fn cbc_pad(memory: &mut Memory) -> *mut CK_MECHANISM {
    let iv = memory.constant(&[7; 16], 0);
    memory.of(&CK_MECHANISM { mechanism: CKM_AES_CBC_PAD, pParameter: iv.cast(), ulParameterLen: 16 }, 0)
}
