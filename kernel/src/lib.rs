//! The native kernel of Tailrace. Everything but `py` knows nothing of Python; `py` is the contract in `tailrace_kernel.pyi`.

mod batch;
mod bytes;
mod columns;
mod compress;
mod decode;
mod digest;
mod encode;
mod filter;
mod mask;
mod parse;
mod pattern;
mod py;
mod records;
mod split;
mod varint;
