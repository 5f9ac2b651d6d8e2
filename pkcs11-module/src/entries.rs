//! What the function table turns into: the C functions, the enum and slice of rows.
//!
//! Owns: how a row becomes an `extern "C"` function that enters the guard. Does not know: any single
//! function; those are rows in `table`. Every argument is taken in by type ([`Received`]), so a body
//! never sees a bare pointer, and a body is reachable through the guard only.
#![allow(unsafe_code, reason = "the C functions are unsafe to call, and taking in their arguments is what they do")]
#![allow(non_snake_case, non_camel_case_types, reason = "the functions have the standard's names")]

use core::ffi::c_void;

use ffi_headers::*;
use hsm_core::{ObjectHandle, OperationKind, Reason};

use crate::calls::*;
use crate::functions::{Row, Scope, Since, Status};
use crate::memory::Received;
use crate::table::function_table;
use crate::{attributes, decode, guard, interface, jobs, lifecycle, mechanism, message, output, template, wrapping};

/// The version of Perilune that had every function of the list so far.
const FIRST_VERSION: &str = "0.1.0";

/// Makes the rows: the enum of functions and the slice in the same order.
macro_rules! rows {
    ($($group:ident since $major:literal . $minor:literal $exported:literal {
        $($scope:ident $name:ident $(ends $($ends:ident)+)? ($($arguments:tt)*) = $body:expr;)*
    })*) => {
        /// Every function of the standard, in the order of the 3.2 function list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Function {
            $($(
                #[doc = concat!("`", stringify!($name), "`.")]
                $name,
            )*)*
        }

        /// Every row of the function table, in the order of the 3.2 function list.
        pub static FUNCTIONS: [Row; [$($(Function::$name),*),*].len()] = [$($(
            Row {
                name: stringify!($name),
                since: Since { major: $major, minor: $minor },
                first_version: FIRST_VERSION,
                exported: $exported,
                status: status!($scope $body),
                scope: scope!($scope),
                ends: &[$($(OperationKind::$ends),+)?],
            },
        )*)*];
    };
}

macro_rules! status {
    (absent $why:expr) => {
        Status::NotSupported($why)
    };
    (legacy $body:expr) => {
        Status::Legacy
    };
    ($scope:ident $body:expr) => {
        Status::Supported
    };
}

macro_rules! scope {
    (process) => {
        Scope::Process
    };
    (slot) => {
        Scope::Slot
    };
    (session) => {
        Scope::Session
    };
    // An absent or legacy function asks for the initialised library only, then refuses.
    ($other:ident) => {
        Scope::Module
    };
}

/// Makes the C functions; those of an exported group are symbols of the library.
macro_rules! functions {
    ($($group:ident since $major:literal . $minor:literal $exported:literal {
        $($scope:ident $name:ident $(ends $($ends:ident)+)? ($($arguments:tt)*) = $body:expr;)*
    })*) => { $($(
        $group! { $scope $name ($($arguments)*) = $body }
    )*)* };
}

macro_rules! symbols {
    ($scope:ident $name:ident ($($arguments:tt)*) = $body:expr) => {
        entry! { #[unsafe(no_mangle)] $scope $name ($($arguments)*) = $body }
    };
}

macro_rules! listed {
    ($scope:ident $name:ident ($($arguments:tt)*) = $body:expr) => {
        entry! { #[doc(hidden)] $scope $name ($($arguments)*) = $body }
    };
}

/// Makes one C function: arguments are taken in, and the guard runs the body.
macro_rules! entry {
    (#[$meta:meta] slot $name:ident ($($argument:ident: $type:ty),*) = $body:expr) => {
        entry! { @ #[$meta] $name (slot_id: CK_SLOT_ID, $($argument: $type),*) ($($argument),*)
            guard::slot(Function::$name, slot_id, $body) }
    };
    (#[$meta:meta] session $name:ident ($($argument:ident: $type:ty),*) = $body:expr) => {
        entry! { @ #[$meta] $name (session_handle: CK_SESSION_HANDLE, $($argument: $type),*) ($($argument),*)
            guard::session(Function::$name, session_handle, $body) }
    };
    (#[$meta:meta] process $name:ident ($($argument:ident: $type:ty),*) = $body:expr) => {
        entry! { @ #[$meta] $name ($($argument: $type),*) ($($argument),*) guard::process(Function::$name, $body) }
    };
    (#[$meta:meta] module $name:ident ($($argument:ident: $type:ty),*) = $body:expr) => {
        entry! { @ #[$meta] $name ($($argument: $type),*) ($($argument),*) guard::module(Function::$name, $body) }
    };
    (#[$meta:meta] legacy $name:ident ($($argument:ident: $type:ty),*) = $body:expr) => {
        entry! { @ #[$meta] $name ($($argument: $type),*) () guard::module(Function::$name, $body) }
    };
    (#[$meta:meta] absent $name:ident ($($argument:ident: $type:ty),*) = $why:expr) => {
        entry! { @ #[$meta] $name ($($argument: $type),*) ()
            guard::module(Function::$name, |_| Err(Reason::FunctionNotSupported)) }
    };
    (@ #[$meta:meta] $name:ident ($($parameter:ident: $type:ty),* $(,)?) ($($argument:ident),*) $call:expr) => {
        #[doc = concat!("`", stringify!($name), "` of the standard.")]
        ///
        /// # Safety
        /// Each pointer is null or points to memory as the standard asks for this function, until it returns.
        #[allow(unused_variables, clippy::too_many_arguments, reason = "the standard's signature")]
        #[$meta]
        pub unsafe extern "C" fn $name($($parameter: $type),*) -> CK_RV {
            $(
                // SAFETY: the caller's promise above is the promise that taking in asks for.
                let $argument = unsafe { Received::received($argument) };
            )*
            $call
        }
    };
}

function_table!(rows);
function_table!(functions);
