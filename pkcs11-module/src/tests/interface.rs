//! The search among the interfaces.

use super::*;
use crate::memory::testing::*;

/// The version of the interface that a search finds.
fn found(name: Option<&[u8]>, version: Option<(u8, u8)>, flags: CK_FLAGS) -> core::result::Result<(u8, u8), CK_RV> {
    let mut name = name.map(<[u8]>::to_vec);
    let mut version = version.map(|(major, minor)| CK_VERSION { major, minor });
    let mut interface = ptr::null_mut();
    find(
        name.as_mut().map_or(null(), |name| raw_slice(name)),
        version.as_mut().map_or(null(), raw),
        raw(&mut interface),
        flags,
    )
    .map_err(|reason| reason.rv())?;
    let index = INTERFACES.0.iter().position(|known| ptr::eq(known, interface)).expect("one of ours");
    Ok((VERSIONS[index].major, VERSIONS[index].minor))
}

#[test]
fn the_newest_interface_is_found_by_default() {
    assert_eq!(found(None, None, 0), Ok((3, 2)));
    assert_eq!(found(Some(b"PKCS 11\0"), None, 0), Ok((3, 2)));
}

#[test]
fn a_version_is_found_exactly_or_not_at_all() {
    for version in [(3, 2), (3, 0), (2, 40)] {
        assert_eq!(found(Some(b"PKCS 11\0"), Some(version), 0), Ok(version));
        assert_eq!(found(None, Some(version), 0), Ok(version));
    }
    for version in [(3, 1), (2, 20), (4, 0), (0, 0), (255, 255)] {
        assert_eq!(found(None, Some(version), 0), Err(CKR_ARGUMENTS_BAD), "{version:?}");
    }
}

#[test]
fn other_names_and_flags_find_nothing() {
    for name in [&b"\0"[..], b"PKCS 1\0", b"PKCS 11 \0", b"pkcs 11\0", b"Vendor\0"] {
        assert_eq!(found(Some(name), None, 0), Err(CKR_ARGUMENTS_BAD), "{name:?}");
    }
    assert_eq!(found(None, None, CKF_INTERFACE_FORK_SAFE), Err(CKR_ARGUMENTS_BAD));
    assert!(matches!(find(null(), null(), null(), 0), Err(Reason::ArgumentsBad(_))));
}

#[test]
fn the_list_of_interfaces_has_the_versions_of_their_lists() {
    let mut count = 0;
    list(null(), raw(&mut count)).unwrap();
    let mut interfaces = vec![INTERFACES.0[0]; count as usize];
    list(raw_slice(&mut interfaces), raw(&mut count)).unwrap();
    let lists: Vec<*const core::ffi::c_void> =
        vec![ptr::from_ref(&LIST_3_2).cast(), ptr::from_ref(&LIST_3_0).cast(), ptr::from_ref(&LIST_2_40).cast()];
    let told: Vec<_> = interfaces.iter().map(|interface| interface.pFunctionList.cast_const()).collect();
    assert_eq!(told, lists);
    assert!(interfaces.iter().all(|interface| interface.flags == 0));
}

#[test]
fn the_function_list_is_always_the_same() {
    let mut lists = [ptr::null_mut(); 2];
    for place in &mut lists {
        function_list(raw(place)).unwrap();
    }
    assert!(ptr::eq(lists[0], &LIST_2_40) && ptr::eq(lists[1], &LIST_2_40));
    assert!(matches!(function_list(null()), Err(Reason::ArgumentsBad(_))));
}
