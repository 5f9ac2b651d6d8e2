//! The information structures of C_Get...Info.
//!
//! Owns: blank-padded fields, version bytes, the fields that are always the same. Does not know: where the
//! facts come from. Rule source: PKCS#11 v2.40, 3.1 to 3.3 (CK_INFO, CK_SLOT_INFO, CK_TOKEN_INFO, ...).

use ffi_headers::*;
use hsm_core::{Info, MechanismInfo, SessionInfo, SlotInfo, TokenInfo};

use crate::interface;

/// `CK_INFO`, with the version of the newest interface.
pub fn library(info: &Info) -> CK_INFO {
    CK_INFO {
        cryptokiVersion: interface::V3_2,
        manufacturerID: padded(info.manufacturer),
        flags: 0,
        libraryDescription: padded(info.description),
        libraryVersion: version(info.version),
    }
}

/// `CK_SLOT_INFO`.
pub fn slot(info: &SlotInfo) -> CK_SLOT_INFO {
    CK_SLOT_INFO {
        slotDescription: padded(&info.description),
        manufacturerID: padded(&info.manufacturer),
        flags: info.flags,
        hardwareVersion: version(info.hardware),
        firmwareVersion: version(info.firmware),
    }
}

/// `CK_TOKEN_INFO`; memory is not counted.
pub fn token(info: &TokenInfo) -> CK_TOKEN_INFO {
    CK_TOKEN_INFO {
        label: info.label,
        manufacturerID: padded(&info.manufacturer),
        model: padded(&info.model),
        serialNumber: info.serial,
        flags: info.flags,
        ulMaxSessionCount: info.sessions_max,
        ulSessionCount: info.sessions,
        ulMaxRwSessionCount: info.rw_sessions_max,
        ulRwSessionCount: info.rw_sessions,
        ulMaxPinLen: info.pin_bytes_max,
        ulMinPinLen: info.pin_bytes_min,
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: version(info.hardware),
        firmwareVersion: version(info.firmware),
        utcTime: info.utc_time,
    }
}

/// `CK_SESSION_INFO`.
pub fn session(info: &SessionInfo) -> CK_SESSION_INFO {
    CK_SESSION_INFO { slotID: info.slot.0, state: info.state, flags: info.flags, ulDeviceError: info.device_error }
}

/// `CK_MECHANISM_INFO`.
pub fn mechanism(info: &MechanismInfo) -> CK_MECHANISM_INFO {
    CK_MECHANISM_INFO { ulMinKeySize: info.key_size_min, ulMaxKeySize: info.key_size_max, flags: info.flags }
}

fn version((major, minor): (u8, u8)) -> CK_VERSION {
    CK_VERSION { major, minor }
}

/// The text padded with blanks; a longer one is cut between characters.
fn padded<const BYTES: usize>(text: &str) -> [u8; BYTES] {
    let fits = text.floor_char_boundary(BYTES);
    let mut field = [b' '; BYTES];
    field[..fits].copy_from_slice(&text.as_bytes()[..fits]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_padded_with_blanks_and_cut_between_characters() {
        assert_eq!(&padded::<6>("abc"), b"abc   ");
        assert_eq!(&padded::<4>("abcdef"), b"abcd");
        assert_eq!(&padded::<4>("abc\u{e9}"), b"abc ");
        assert_eq!(&padded::<2>(""), b"  ");
    }
}
