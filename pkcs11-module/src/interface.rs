//! The function lists and the interfaces that hand them out.
//!
//! Owns: the three lists (2.40, 3.0, 3.2), filled from the function table by name, and the search among
//! the interfaces. Does not know: any single function. All of it is static: the pointers are the same
//! for the life of the process, before C_Initialize and after C_Finalize.
//! Rule source: PKCS#11 v3.0, 5.4 (C_GetFunctionList, C_GetInterfaceList, C_GetInterface).

use core::ptr;

use ffi_headers::*;
use hsm_core::{Reason, Result};

use crate::entries::*;
use crate::memory::Raw;
use crate::output;
use crate::table::function_table;

/// Makes the lists. The groups of the table are those of the standard: a list has its groups and the older ones.
macro_rules! lists {
    (
        symbols since 2 . 40 true { $($scope_2_40:ident $v2_40:ident $(ends $($e0:ident)+)? ($($a0:tt)*) = $b0:expr;)* }
        symbols since 3 . 0 true { $($scope_3_0:ident $v3_0:ident $(ends $($e1:ident)+)? ($($a1:tt)*) = $b1:expr;)* }
        listed since 3 . 0 false { $($scope_3_0l:ident $v3_0l:ident $(ends $($e2:ident)+)? ($($a2:tt)*) = $b2:expr;)* }
        listed since 3 . 2 false { $($scope_3_2:ident $v3_2:ident $(ends $($e3:ident)+)? ($($a3:tt)*) = $b3:expr;)* }
    ) => {
        /// What C_GetFunctionList hands out.
        pub static LIST_2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: V2_40,
            $($v2_40: Some($v2_40),)*
        };

        /// The list of the 3.0 interface.
        pub static LIST_3_0: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 {
            version: V3_0,
            $($v2_40: Some($v2_40),)*
            $($v3_0: Some($v3_0),)*
            $($v3_0l: Some($v3_0l),)*
        };

        /// The list of the 3.2 interface.
        pub static LIST_3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 {
            version: V3_2,
            $($v2_40: Some($v2_40),)*
            $($v3_0: Some($v3_0),)*
            $($v3_0l: Some($v3_0l),)*
            $($v3_2: Some($v3_2),)*
        };

        /// The address of each C function, in the order of the table.
        #[cfg(test)]
        pub fn addresses() -> Vec<usize> {
            vec![
                $($v2_40 as *const () as usize,)*
                $($v3_0 as *const () as usize,)*
                $($v3_0l as *const () as usize,)*
                $($v3_2 as *const () as usize,)*
            ]
        }
    };
}

/// The version of the newest interface, and so of the library.
pub const V3_2: CK_VERSION = CK_VERSION { major: 3, minor: 2 };
const V3_0: CK_VERSION = CK_VERSION { major: 3, minor: 0 };
const V2_40: CK_VERSION = CK_VERSION { major: 2, minor: 40 };

function_table!(lists);

/// A structure of pointers to statics.
pub struct Shared<T>(pub T);

// SAFETY: the pointers lead to statics that nobody writes.
#[allow(unsafe_code, reason = "a structure with raw pointers is not Sync by itself")]
unsafe impl<T> Sync for Shared<T> {}

const NAME: &[u8; 8] = b"PKCS 11\0";

/// The interfaces, newest first, each with the version of its list.
///
/// None claims CKF_INTERFACE_FORK_SAFE: that would promise a child the parent's sessions and logins.
pub static INTERFACES: Shared<[CK_INTERFACE; 3]> = Shared([
    interface(ptr::from_ref(&LIST_3_2).cast()),
    interface(ptr::from_ref(&LIST_3_0).cast()),
    interface(ptr::from_ref(&LIST_2_40).cast()),
]);
const VERSIONS: [CK_VERSION; 3] = [V3_2, V3_0, V2_40];

const fn interface(list: *const core::ffi::c_void) -> CK_INTERFACE {
    CK_INTERFACE { pInterfaceName: NAME.as_ptr().cast_mut(), pFunctionList: list.cast_mut(), flags: 0 }
}

/// C_GetFunctionList: the 2.40 list.
///
/// # Errors
/// `ArgumentsBad`.
pub fn function_list(place: Raw<'_, *mut CK_FUNCTION_LIST>) -> Result<()> {
    place.out("ppFunctionList is null")?.write(ptr::from_ref(&LIST_2_40).cast_mut());
    Ok(())
}

/// C_GetInterfaceList.
///
/// # Errors
/// `ArgumentsBad`, `BufferTooSmall`.
pub fn list(interfaces: Raw<'_, CK_INTERFACE>, count: Raw<'_, CK_ULONG>) -> Result<()> {
    output::list(interfaces, count, || Ok(INTERFACES.0.to_vec()))
}

/// C_GetInterface: the newest interface of that name, version and flags; a null name or version stands for any.
///
/// # Errors
/// `ArgumentsBad` for a null result pointer, and when there is no such interface: the arguments name nothing.
pub fn find(
    name: Raw<'_, CK_UTF8CHAR>,
    version: Raw<'_, CK_VERSION>,
    found: Raw<'_, *mut CK_INTERFACE>,
    flags: CK_FLAGS,
) -> Result<()> {
    let found = found.out("ppInterface is null")?;
    let version = if version.is_null() { None } else { Some(version.read("pVersion is null")?) };
    let fits = |index: usize, interface: &CK_INTERFACE| {
        version.is_none_or(|asked| (asked.major, asked.minor) == (VERSIONS[index].major, VERSIONS[index].minor))
            && interface.flags & flags == flags
    };
    let place = (name.is_null() || name.is_string(NAME))
        .then(|| INTERFACES.0.iter().enumerate().find(|(index, interface)| fits(*index, interface)))
        .flatten();
    let (_, interface) = place.ok_or(Reason::ArgumentsBad("there is no such interface"))?;
    found.write(ptr::from_ref(interface).cast_mut());
    Ok(())
}

#[cfg(test)]
#[path = "tests/interface.rs"]
mod tests;
