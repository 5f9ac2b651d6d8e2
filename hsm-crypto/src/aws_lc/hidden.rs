//! Functions of ours under hidden C names, for what AWS-LC and the linker look for.
//!
//! Owns: the one jump that each of them is, because Rust cannot write hidden symbols. Does not know: what the functions do.

/// Gives functions of the calling file hidden C names: `hidden! { "name" = function; }`.
macro_rules! hidden {
    ($($name:literal = $function:ident;)*) => { $(
        #[cfg(target_arch = "x86_64")]
        jump!("jmp", $name, $function);
        #[cfg(target_arch = "aarch64")]
        jump!("b", $name, $function);
    )* };
}

macro_rules! jump {
    ($jump:literal, $name:literal, $function:ident) => {
        core::arch::global_asm!(
            concat!(".pushsection .text.", $name, ",\"ax\",%progbits"),
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ",%function"),
            concat!($name, ":"),
            concat!($jump, " {function}"),
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
            function = sym $function,
        );
    };
}
