//! The function table: one row for every function of PKCS#11 2.40, 3.0 and 3.2.
//!
//! A row says: what the function works on (`process`, `module`, `slot`, `session`; or `absent` when it is
//! not supported, `legacy` when the standard itself fixes a refusal), its name, the operations that its
//! errors end, the arguments of the C signature (less the slot or session that the scope stands for), and
//! its body, or why there is none.
//! Everything else is derived: the C functions and [`crate::FUNCTIONS`] in `entries`, the function lists
//! in `interface`. Order and signatures are those of the standard's headers; the compiler checks the
//! signatures where the lists are filled. `symbols` groups are exported from the library.
//!
//! No initialisation of an operation ends one: when it fails, nothing was begun, and an operation that
//! was active before goes on (`CKR_OPERATION_ACTIVE`).

/// Hands the table to a macro.
macro_rules! function_table {
    ($consumer:ident) => {
        $consumer! {

symbols since 2 . 40 true {
    // General purpose.
    process C_Initialize(arguments: *mut c_void) = || lifecycle::initialize(arguments);
    process C_Finalize(reserved: *mut c_void) = || lifecycle::finalize(reserved);
    module C_GetInfo(info: *mut CK_INFO) = |hsm| info_of(info, || hsm.info());
    process C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) = || interface::function_list(list);

    // Slots and tokens.
    module C_GetSlotList(token_present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG) =
        |hsm| output::list(slots, count, || hsm.slots(token_present != CK_FALSE).map(slot_numbers));
    slot C_GetSlotInfo(info: *mut CK_SLOT_INFO) = |hsm, slot| slot_info_of(info, || hsm.slot_info(slot));
    slot C_GetTokenInfo(info: *mut CK_TOKEN_INFO) = |hsm, slot| token_info_of(info, || hsm.token_info(slot));
    slot C_GetMechanismList(mechanisms: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG) =
        |hsm, slot| output::list(mechanisms, count, || hsm.mechanism_list(slot));
    slot C_GetMechanismInfo(kind: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO) =
        |hsm, slot| mechanism_info_of(info, || hsm.mechanism_info(slot, kind));
    slot C_InitToken(pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG, label: *mut CK_UTF8CHAR) =
        |hsm, slot| hsm.init_token(slot, &decode::pin(pin.input(pin_length))?, &decode::token_label(label)?);
    session C_InitPIN(pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG) =
        |hsm, session| hsm.init_pin(session, &decode::pin(pin.input(pin_length))?);
    session C_SetPIN(old: *mut CK_UTF8CHAR, old_length: CK_ULONG, new: *mut CK_UTF8CHAR, new_length: CK_ULONG) =
        |hsm, session| hsm.set_pin(session, &decode::pin(old.input(old_length))?,
            &decode::pin(new.input(new_length))?);

    // Sessions.
    slot C_OpenSession(flags: CK_FLAGS, application: *mut c_void, notify: CK_NOTIFY, session: *mut CK_SESSION_HANDLE) =
        |hsm, slot| open_session(session, flags, |read_write, asynchronous|
            if asynchronous { hsm.open_asynchronous_session(slot, read_write) } else { hsm.open_session(slot, read_write) });
    session C_CloseSession() = |hsm, session| hsm.close_session(session);
    slot C_CloseAllSessions() = |hsm, slot| hsm.close_all_sessions(slot);
    session C_GetSessionInfo(info: *mut CK_SESSION_INFO) =
        |hsm, session| session_info_of(info, || hsm.session_info(session));
    session C_GetOperationState(state: *mut CK_BYTE, state_length: *mut CK_ULONG) =
        |hsm, session| output::produce(state, state_length, |room| hsm.operation_state(session, room));
    session C_SetOperationState(state: *mut CK_BYTE, state_length: CK_ULONG, encryption_key: CK_OBJECT_HANDLE,
        authentication_key: CK_OBJECT_HANDLE) = |hsm, session|
        hsm.set_operation_state(session, decode::state(state.input(state_length))?,
            decode::state_keys(encryption_key, authentication_key));
    session C_Login(user_type: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG) =
        |hsm, session| hsm.login(session, user_type, &decode::login_pin(pin.input(pin_length))?);
    session C_Logout() = |hsm, session| hsm.logout(session);

    // Objects.
    session C_CreateObject(attributes: *mut CK_ATTRIBUTE, count: CK_ULONG, object: *mut CK_OBJECT_HANDLE) =
        |hsm, session| new_object(object, || hsm.create_object(session, &template::decode(attributes, count)?));
    session C_CopyObject(object: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG,
        copy: *mut CK_OBJECT_HANDLE) = |hsm, session|
        new_object(copy, || hsm.copy_object(session, ObjectHandle(object), &template::decode(attributes, count)?));
    session C_DestroyObject(object: CK_OBJECT_HANDLE) =
        |hsm, session| hsm.destroy_object(session, ObjectHandle(object));
    session C_GetObjectSize(object: CK_OBJECT_HANDLE, size: *mut CK_ULONG) =
        |hsm, session| object_size(size, || hsm.object_size(session, ObjectHandle(object)));
    session C_GetAttributeValue(object: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) =
        |hsm, session| attributes::answer(attributes, count,
            |kinds| hsm.attributes(session, ObjectHandle(object), kinds));
    session C_SetAttributeValue(object: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) =
        |hsm, session| hsm.set_attributes(session, ObjectHandle(object), &template::decode(attributes, count)?);
    session C_FindObjectsInit(attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) =
        |hsm, session| hsm.find_init(session, &template::decode(attributes, count)?);
    session C_FindObjects(objects: *mut CK_OBJECT_HANDLE, most: CK_ULONG, count: *mut CK_ULONG) =
        |hsm, session| find_objects(objects, most, count, |most| hsm.find(session, most));
    session C_FindObjectsFinal() = |hsm, session| hsm.find_final(session);

    // Encryption.
    session C_EncryptInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::Encrypt, mechanism,
            |mechanism| hsm.encrypt_init(session, mechanism, ObjectHandle(key)));
    session C_Encrypt ends Encrypt(data: *mut CK_BYTE, data_length: CK_ULONG, encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG) = |hsm, session|
        stream(data.input(data_length), encrypted, encrypted_length, |data, place| hsm.encrypt(session, data, place));
    session C_EncryptUpdate ends Encrypt(part: *mut CK_BYTE, part_length: CK_ULONG, encrypted: *mut CK_BYTE,
        encrypted_length: *mut CK_ULONG) = |hsm, session|
        stream(part.input(part_length), encrypted, encrypted_length,
            |part, place| hsm.encrypt_update(session, part, place));
    session C_EncryptFinal ends Encrypt(last: *mut CK_BYTE, last_length: *mut CK_ULONG) =
        |hsm, session| output::stream(last, last_length, || Ok(&[]), |_, place| hsm.encrypt_final(session, place));

    // Decryption.
    session C_DecryptInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::Decrypt, mechanism,
            |mechanism| hsm.decrypt_init(session, mechanism, ObjectHandle(key)));
    session C_Decrypt ends Decrypt(encrypted: *mut CK_BYTE, encrypted_length: CK_ULONG, data: *mut CK_BYTE,
        data_length: *mut CK_ULONG) = |hsm, session|
        stream(encrypted.input(encrypted_length), data, data_length,
            |encrypted, place| hsm.decrypt(session, encrypted, place));
    session C_DecryptUpdate ends Decrypt(encrypted: *mut CK_BYTE, encrypted_length: CK_ULONG, part: *mut CK_BYTE,
        part_length: *mut CK_ULONG) = |hsm, session|
        stream(encrypted.input(encrypted_length), part, part_length,
            |encrypted, place| hsm.decrypt_update(session, encrypted, place));
    session C_DecryptFinal ends Decrypt(last: *mut CK_BYTE, last_length: *mut CK_ULONG) =
        |hsm, session| output::stream(last, last_length, || Ok(&[]), |_, place| hsm.decrypt_final(session, place));

    // Digests.
    session C_DigestInit(mechanism: *mut CK_MECHANISM) =
        |hsm, session| begin(hsm, session, OperationKind::Digest, mechanism,
            |mechanism| hsm.digest_init(session, mechanism));
    session C_Digest ends Digest(data: *mut CK_BYTE, data_length: CK_ULONG, digest: *mut CK_BYTE,
        digest_length: *mut CK_ULONG) = |hsm, session|
        transform(data.input(data_length), digest, digest_length, |data, room| hsm.digest(session, data, room));
    session C_DigestUpdate ends Digest(part: *mut CK_BYTE, part_length: CK_ULONG) =
        |hsm, session| hsm.digest_update(session, decode::data(part.input(part_length))?);
    session C_DigestKey ends Digest(key: CK_OBJECT_HANDLE) =
        |hsm, session| hsm.digest_key(session, ObjectHandle(key));
    session C_DigestFinal ends Digest(digest: *mut CK_BYTE, digest_length: *mut CK_ULONG) =
        |hsm, session| output::produce(digest, digest_length, |room| hsm.digest_final(session, room));

    // Signatures and MACs.
    session C_SignInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::Sign, mechanism,
            |mechanism| hsm.sign_init(session, mechanism, ObjectHandle(key)));
    session C_Sign ends Sign(data: *mut CK_BYTE, data_length: CK_ULONG, signature: *mut CK_BYTE,
        signature_length: *mut CK_ULONG) = |hsm, session|
        transform(data.input(data_length), signature, signature_length, |data, room| hsm.sign(session, data, room));
    session C_SignUpdate ends Sign(part: *mut CK_BYTE, part_length: CK_ULONG) =
        |hsm, session| hsm.sign_update(session, decode::data(part.input(part_length))?);
    session C_SignFinal ends Sign(signature: *mut CK_BYTE, signature_length: *mut CK_ULONG) =
        |hsm, session| output::produce(signature, signature_length, |room| hsm.sign_final(session, room));
    session C_SignRecoverInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::SignRecover, mechanism,
            |mechanism| hsm.sign_recover_init(session, mechanism, ObjectHandle(key)));
    session C_SignRecover ends SignRecover(data: *mut CK_BYTE, data_length: CK_ULONG, signature: *mut CK_BYTE,
        signature_length: *mut CK_ULONG) = |hsm, session|
        stream(data.input(data_length), signature, signature_length,
            |data, place| hsm.sign_recover(session, data, place));

    // Verification.
    session C_VerifyInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::Verify, mechanism,
            |mechanism| hsm.verify_init(session, mechanism, ObjectHandle(key)));
    session C_Verify ends Verify(data: *mut CK_BYTE, data_length: CK_ULONG, signature: *mut CK_BYTE,
        signature_length: CK_ULONG) = |hsm, session|
        hsm.verify(session, decode::data(data.input(data_length))?,
            decode::signature(signature.input(signature_length))?);
    session C_VerifyUpdate ends Verify(part: *mut CK_BYTE, part_length: CK_ULONG) =
        |hsm, session| hsm.verify_update(session, decode::data(part.input(part_length))?);
    session C_VerifyFinal ends Verify(signature: *mut CK_BYTE, signature_length: CK_ULONG) =
        |hsm, session| hsm.verify_final(session, decode::signature(signature.input(signature_length))?);
    session C_VerifyRecoverInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::VerifyRecover, mechanism,
            |mechanism| hsm.verify_recover_init(session, mechanism, ObjectHandle(key)));
    session C_VerifyRecover ends VerifyRecover(signature: *mut CK_BYTE, signature_length: CK_ULONG, data: *mut CK_BYTE,
        data_length: *mut CK_ULONG) = |hsm, session|
        stream(signature.input(signature_length), data, data_length,
            |signature, place| hsm.verify_recover(session, signature, place));

    // Two operations in one call.
    session C_DigestEncryptUpdate ends Digest Encrypt(part: *mut CK_BYTE, part_length: CK_ULONG,
        encrypted: *mut CK_BYTE, encrypted_length: *mut CK_ULONG) = |hsm, session|
        stream(part.input(part_length), encrypted, encrypted_length,
            |part, place| hsm.digest_encrypt_update(session, part, place));
    session C_DecryptDigestUpdate ends Decrypt Digest(encrypted: *mut CK_BYTE, encrypted_length: CK_ULONG,
        part: *mut CK_BYTE, part_length: *mut CK_ULONG) = |hsm, session|
        stream(encrypted.input(encrypted_length), part, part_length,
            |encrypted, place| hsm.decrypt_digest_update(session, encrypted, place));
    session C_SignEncryptUpdate ends Sign Encrypt(part: *mut CK_BYTE, part_length: CK_ULONG,
        encrypted: *mut CK_BYTE, encrypted_length: *mut CK_ULONG) = |hsm, session|
        stream(part.input(part_length), encrypted, encrypted_length,
            |part, place| hsm.sign_encrypt_update(session, part, place));
    session C_DecryptVerifyUpdate ends Decrypt Verify(encrypted: *mut CK_BYTE, encrypted_length: CK_ULONG,
        part: *mut CK_BYTE, part_length: *mut CK_ULONG) = |hsm, session|
        stream(encrypted.input(encrypted_length), part, part_length,
            |encrypted, place| hsm.decrypt_verify_update(session, encrypted, place));

    // Keys.
    session C_GenerateKey(mechanism: *mut CK_MECHANISM, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG,
        key: *mut CK_OBJECT_HANDLE) = |hsm, session| new_object(key, ||
            jobs::generate_key(hsm, session, mechanism::decode(mechanism)?, template::decode(attributes, count)?));
    session C_GenerateKeyPair(mechanism: *mut CK_MECHANISM, public_attributes: *mut CK_ATTRIBUTE,
        public_count: CK_ULONG, private_attributes: *mut CK_ATTRIBUTE, private_count: CK_ULONG,
        public_key: *mut CK_OBJECT_HANDLE, private_key: *mut CK_OBJECT_HANDLE) = |hsm, session|
        new_pair(public_key, private_key, ||
            jobs::generate_key_pair(hsm, session, mechanism::decode(mechanism)?,
                template::decode(public_attributes, public_count)?,
                template::decode(private_attributes, private_count)?));
    session C_WrapKey(mechanism: *mut CK_MECHANISM, wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE, wrapped_length: *mut CK_ULONG) = |hsm, session|
        wrapping::wrap(hsm, session, mechanism, (ObjectHandle(wrapping_key), ObjectHandle(key)), wrapped, wrapped_length);
    session C_UnwrapKey(mechanism: *mut CK_MECHANISM, unwrapping_key: CK_OBJECT_HANDLE, wrapped: *mut CK_BYTE,
        wrapped_length: CK_ULONG, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG, key: *mut CK_OBJECT_HANDLE) =
        |hsm, session| new_object(key, || wrapping::unwrap(hsm, session, mechanism, ObjectHandle(unwrapping_key),
            wrapped.input(wrapped_length), (attributes, count)));
    session C_DeriveKey(mechanism: *mut CK_MECHANISM, base_key: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE,
        count: CK_ULONG, key: *mut CK_OBJECT_HANDLE) = |hsm, session| derive(mechanism, key, |mechanism|
            hsm.derive_key(session, mechanism, ObjectHandle(base_key), &template::decode(attributes, count)?));

    // Random numbers.
    session C_SeedRandom(seed: *mut CK_BYTE, seed_length: CK_ULONG) =
        |hsm, session| hsm.seed_random(session, decode::seed(seed.input(seed_length))?);
    session C_GenerateRandom(random: *mut CK_BYTE, length: CK_ULONG) =
        |hsm, session| random_bytes(random, length, |bytes| hsm.random(session, bytes));

    // Parallel functions of version 1; the standard fixes their answer.
    legacy C_GetFunctionStatus(session: CK_SESSION_HANDLE) = |_| Err(Reason::FunctionNotParallel);
    legacy C_CancelFunction(session: CK_SESSION_HANDLE) = |_| Err(Reason::FunctionNotParallel);
    module C_WaitForSlotEvent(flags: CK_FLAGS, slot: *mut CK_SLOT_ID, reserved: *mut c_void) =
        |hsm| wait_for_slot_event(flags, slot, reserved, |block| hsm.wait_for_slot_event(block));
}

symbols since 3 . 0 true {
    process C_GetInterfaceList(interfaces: *mut CK_INTERFACE, count: *mut CK_ULONG) =
        || interface::list(interfaces, count);
    process C_GetInterface(name: *mut CK_UTF8CHAR, version: *mut CK_VERSION, found: *mut *mut CK_INTERFACE,
        flags: CK_FLAGS) = || interface::find(name, version, found, flags);
}

listed since 3 . 0 false {
    session C_LoginUser(user_type: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, pin_length: CK_ULONG, name: *mut CK_UTF8CHAR,
        name_length: CK_ULONG) = |hsm, session| login_user(name.input(name_length), ||
            hsm.login(session, user_type, &decode::login_pin(pin.input(pin_length))?));
    session C_SessionCancel(flags: CK_FLAGS) = |hsm, session| cancel(hsm, session, flags);

    session C_MessageEncryptInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| message::begin(hsm, session, OperationKind::MessageEncrypt, mechanism,
            |kind| hsm.message_encrypt_init(session, kind, ObjectHandle(key)));
    session C_EncryptMessage(parameter: *mut c_void, parameter_length: CK_ULONG, associated: *mut CK_BYTE,
        associated_length: CK_ULONG, plaintext: *mut CK_BYTE, plaintext_length: CK_ULONG, ciphertext: *mut CK_BYTE,
        ciphertext_length: *mut CK_ULONG) = |hsm, session|
        message::encrypt(hsm, session, parameter.memory(parameter_length), associated.input(associated_length),
            plaintext.input(plaintext_length), ciphertext, ciphertext_length);
    session C_EncryptMessageBegin(parameter: *mut c_void, parameter_length: CK_ULONG, associated: *mut CK_BYTE,
        associated_length: CK_ULONG) = |hsm, session|
        message::begin_encrypt(hsm, session, parameter.memory(parameter_length), associated.input(associated_length));
    session C_EncryptMessageNext ends EncryptMessage(parameter: *mut c_void, parameter_length: CK_ULONG,
        plaintext: *mut CK_BYTE, plaintext_length: CK_ULONG, ciphertext: *mut CK_BYTE, ciphertext_length: *mut CK_ULONG,
        flags: CK_FLAGS) = |hsm, session|
        message::encrypt_next(hsm, session, parameter.memory(parameter_length), plaintext.input(plaintext_length),
            ciphertext, ciphertext_length, flags);
    session C_MessageEncryptFinal() = |hsm, session| hsm.message_final(session, OperationKind::MessageEncrypt);

    session C_MessageDecryptInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| message::begin(hsm, session, OperationKind::MessageDecrypt, mechanism,
            |kind| hsm.message_decrypt_init(session, kind, ObjectHandle(key)));
    session C_DecryptMessage(parameter: *mut c_void, parameter_length: CK_ULONG, associated: *mut CK_BYTE,
        associated_length: CK_ULONG, ciphertext: *mut CK_BYTE, ciphertext_length: CK_ULONG, plaintext: *mut CK_BYTE,
        plaintext_length: *mut CK_ULONG) = |hsm, session|
        message::decrypt(hsm, session, parameter.memory(parameter_length), associated.input(associated_length),
            ciphertext.input(ciphertext_length), plaintext, plaintext_length);
    session C_DecryptMessageBegin(parameter: *mut c_void, parameter_length: CK_ULONG, associated: *mut CK_BYTE,
        associated_length: CK_ULONG) = |hsm, session|
        message::begin_decrypt(hsm, session, parameter.memory(parameter_length), associated.input(associated_length));
    session C_DecryptMessageNext ends DecryptMessage(parameter: *mut c_void, parameter_length: CK_ULONG,
        ciphertext: *mut CK_BYTE, ciphertext_length: CK_ULONG, plaintext: *mut CK_BYTE, plaintext_length: *mut CK_ULONG,
        flags: CK_FLAGS) = |hsm, session|
        message::decrypt_next(hsm, session, parameter.memory(parameter_length), ciphertext.input(ciphertext_length),
            plaintext, plaintext_length, flags);
    session C_MessageDecryptFinal() = |hsm, session| hsm.message_final(session, OperationKind::MessageDecrypt);

    session C_MessageSignInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::MessageSign, mechanism,
            |mechanism| hsm.message_sign_init(session, mechanism, ObjectHandle(key)));
    session C_SignMessage(parameter: *mut c_void, parameter_length: CK_ULONG, data: *mut CK_BYTE, data_length: CK_ULONG,
        signature: *mut CK_BYTE, signature_length: *mut CK_ULONG) = |hsm, session|
        message::no_parameter(parameter.memory(parameter_length)).and_then(|()| transform(data.input(data_length),
            signature, signature_length, |data, room| hsm.sign_message(session, data, room)));
    session C_SignMessageBegin(parameter: *mut c_void, parameter_length: CK_ULONG) = |hsm, session|
        message::no_parameter(parameter.memory(parameter_length)).and_then(|()| hsm.begin_sign_message(session));
    session C_SignMessageNext ends SignMessage(parameter: *mut c_void, parameter_length: CK_ULONG, data: *mut CK_BYTE,
        data_length: CK_ULONG, signature: *mut CK_BYTE, signature_length: *mut CK_ULONG) = |hsm, session|
        message::sign_next(hsm, session, parameter.memory(parameter_length), data.input(data_length), signature,
            signature_length);
    session C_MessageSignFinal() = |hsm, session| hsm.message_final(session, OperationKind::MessageSign);

    session C_MessageVerifyInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) =
        |hsm, session| begin(hsm, session, OperationKind::MessageVerify, mechanism,
            |mechanism| hsm.message_verify_init(session, mechanism, ObjectHandle(key)));
    session C_VerifyMessage(parameter: *mut c_void, parameter_length: CK_ULONG, data: *mut CK_BYTE, data_length: CK_ULONG,
        signature: *mut CK_BYTE, signature_length: CK_ULONG) = |hsm, session|
        message::no_parameter(parameter.memory(parameter_length)).and_then(|()| hsm.verify_message(session,
            decode::data(data.input(data_length))?, decode::signature(signature.input(signature_length))?));
    session C_VerifyMessageBegin(parameter: *mut c_void, parameter_length: CK_ULONG) = |hsm, session|
        message::no_parameter(parameter.memory(parameter_length)).and_then(|()| hsm.begin_verify_message(session));
    session C_VerifyMessageNext ends VerifyMessage(parameter: *mut c_void, parameter_length: CK_ULONG, data: *mut CK_BYTE,
        data_length: CK_ULONG, signature: *mut CK_BYTE, signature_length: CK_ULONG) = |hsm, session|
        message::verify_next(hsm, session, parameter.memory(parameter_length), data.input(data_length),
            signature.input(signature_length));
    session C_MessageVerifyFinal() = |hsm, session| hsm.message_final(session, OperationKind::MessageVerify);
}

listed since 3 . 2 false {
    session C_EncapsulateKey(mechanism: *mut CK_MECHANISM, public_key: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE,
        count: CK_ULONG, ciphertext: *mut CK_BYTE, ciphertext_length: *mut CK_ULONG, key: *mut CK_OBJECT_HANDLE) =
        |hsm, session| encapsulate(ciphertext, ciphertext_length, key, |room| hsm.encapsulate_key(session,
            &mechanism::decode(mechanism)?, ObjectHandle(public_key), &template::decode(attributes, count)?, room));
    session C_DecapsulateKey(mechanism: *mut CK_MECHANISM, private_key: CK_OBJECT_HANDLE, attributes: *mut CK_ATTRIBUTE,
        count: CK_ULONG, ciphertext: *mut CK_BYTE, ciphertext_length: CK_ULONG, key: *mut CK_OBJECT_HANDLE) =
        |hsm, session| new_object(key, || hsm.decapsulate_key(session, &mechanism::decode(mechanism)?,
            ObjectHandle(private_key), decode::ciphertext(ciphertext.input(ciphertext_length))?,
            &template::decode(attributes, count)?));
    session C_VerifySignatureInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE, signature: *mut CK_BYTE,
        signature_length: CK_ULONG) = |hsm, session|
        begin(hsm, session, OperationKind::VerifySignature, mechanism, |mechanism|
            hsm.verify_signature_init(session, mechanism, ObjectHandle(key),
                decode::signature(signature.input(signature_length))?));
    session C_VerifySignature ends VerifySignature(data: *mut CK_BYTE, data_length: CK_ULONG) =
        |hsm, session| hsm.verify_signature(session, decode::data(data.input(data_length))?);
    session C_VerifySignatureUpdate ends VerifySignature(part: *mut CK_BYTE, part_length: CK_ULONG) =
        |hsm, session| hsm.verify_signature_update(session, decode::data(part.input(part_length))?);
    session C_VerifySignatureFinal ends VerifySignature() = |hsm, session| hsm.verify_signature_final(session);
    session C_GetSessionValidationFlags(kind: CK_SESSION_VALIDATION_FLAGS_TYPE, flags: *mut CK_FLAGS) =
        |hsm, session| validation_flags(hsm, session, kind, flags);
    session C_AsyncComplete(function: *mut CK_UTF8CHAR, result: *mut CK_ASYNC_DATA) =
        |hsm, session| jobs::complete(hsm, session, function, result);
    session C_AsyncGetID(function: *mut CK_UTF8CHAR, id: *mut CK_ULONG) =
        |hsm, session| jobs::id(hsm, session, function, id);
    session C_AsyncJoin(function: *mut CK_UTF8CHAR, id: CK_ULONG, data: *mut CK_BYTE, length: CK_ULONG) =
        |hsm, session| jobs::join(hsm, session, function);
    session C_WrapKeyAuthenticated(mechanism: *mut CK_MECHANISM, wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE,
        associated: *mut CK_BYTE, associated_length: CK_ULONG, wrapped: *mut CK_BYTE, wrapped_length: *mut CK_ULONG) =
        |hsm, session| message::wrap(hsm, session, mechanism, ObjectHandle(wrapping_key), ObjectHandle(key),
            associated.input(associated_length), wrapped, wrapped_length);
    session C_UnwrapKeyAuthenticated(mechanism: *mut CK_MECHANISM, unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE, wrapped_length: CK_ULONG, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG,
        associated: *mut CK_BYTE, associated_length: CK_ULONG, key: *mut CK_OBJECT_HANDLE) = |hsm, session|
        new_object(key, || message::unwrap(hsm, session, mechanism, ObjectHandle(unwrapping_key),
            wrapped.input(wrapped_length), (attributes, count), associated.input(associated_length)));
}

        }
    };
}

pub(crate) use function_table;
