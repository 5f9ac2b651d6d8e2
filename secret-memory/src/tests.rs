//! Blocks of every size, given back by this thread and by others.

use crate::{Block, SecretBox, give_back, standing, take, usable_bytes};
use std::ptr::NonNull;
use std::sync::mpsc;
use std::thread;

/// Whether this is a process that runs this test and no other, whose pages are the test's own. Otherwise such a process is run.
fn is_alone(test: &str) -> bool {
    let alone = std::env::var_os("PERILUNE_ALONE").is_some();
    if !alone {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let child = child.args([test, "--exact", "--test-threads=1"]).env("PERILUNE_ALONE", "1");
        assert!(child.status().unwrap().success(), "{test}");
    }
    alone
}

fn zeroed(bytes: usize) -> Block {
    Block::try_zeroed(bytes).unwrap()
}

#[test]
fn blocks_of_every_length_are_zero_apart_and_can_be_written_to_the_end() {
    for round in 0..3_u8 {
        let mut blocks: Vec<Block> = (0..600).chain([4096, 5000, 16_384, 16_385, 100_000]).map(zeroed).collect();
        for block in &mut blocks {
            assert!(block.iter().all(|byte| *byte == 0), "{} bytes in round {round}", block.len());
            let mark = block.len() as u8 ^ round;
            block.fill(mark);
        }
        for block in &blocks {
            assert!(block.iter().all(|byte| *byte == block.len() as u8 ^ round), "{} bytes", block.len());
        }
        // So that spans are emptied from the middle, too.
        let (odd, even): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| block.len() % 2 == 1);
        drop(odd);
        drop(even);
    }
}

#[test]
fn what_was_given_back_is_wiped() {
    for bytes in [1, 40, 700, 4000, 16_000] {
        let mut block = zeroed(bytes);
        block.fill(0xAA);
        let start = block.as_ptr();
        drop(block);
        // Blocks of this size come back last in, first out.
        let again = zeroed(bytes);
        assert_eq!(again.as_ptr(), start, "{bytes} bytes");
        assert!(again.iter().all(|byte| *byte == 0), "{bytes} bytes");
    }
}

#[test]
fn a_block_for_c_has_the_room_that_it_says_it_has() {
    for bytes in [0, 1, 16, 17, 1000, 16_384, 16_385, 1 << 20] {
        let block = take(bytes).unwrap();
        // SAFETY: taken in the line before.
        let room = unsafe { usable_bytes(block) };
        assert!(room >= bytes && block.addr().get().is_multiple_of(16), "{bytes}: {room} at {block:?}");
        // SAFETY: there is so much room.
        unsafe { block.write_bytes(0x55, room) };
        // SAFETY: not used any more.
        unsafe { give_back(block) };
    }
}

#[test]
fn values_are_aligned_and_dropped_once() {
    #[repr(align(64))]
    struct Wide([u8; 100]);
    #[repr(align(32))]
    struct Narrow(u8);
    let (wide, narrow) = (SecretBox::new(Wide([7; 100])), SecretBox::new(Narrow(3)));
    assert_eq!((std::ptr::from_ref(&*wide).addr() % 64, wide.0[99]), (0, 7));
    assert_eq!((std::ptr::from_ref(&*narrow).addr() % 32, narrow.0), (0, 3));

    let counted = std::rc::Rc::new(());
    let boxed = SecretBox::new(counted.clone());
    assert_eq!(std::rc::Rc::strong_count(&counted), 2);
    drop(boxed);
    assert_eq!(std::rc::Rc::strong_count(&counted), 1);
}

#[test]
fn a_value_is_seen_as_an_object_of_its_trait_and_as_nothing_else() {
    let boxed = SecretBox::new([1_u8, 2, 3]).seen_as(|value| value as &mut dyn AsRef<[u8]>);
    assert_eq!((*boxed).as_ref(), [1, 2, 3]);
    let first = || SecretBox::new((1_u8, 2_u8)).seen_as(|pair| &mut pair.0);
    assert!(std::panic::catch_unwind(first).is_err());
}

#[test]
fn a_shortened_block_keeps_its_beginning_and_gives_back_zeros() {
    let mut block = zeroed(100);
    block.fill(9);
    block.truncate(200);
    assert_eq!(block.len(), 100);
    block.truncate(30);
    assert_eq!(*block, [9; 30]);
    block.truncate(0);
    assert!(block.is_empty());
    assert!(zeroed(100).iter().all(|byte| *byte == 0));
}

#[test]
fn blocks_that_other_threads_give_back_are_used_again() {
    if !is_alone("tests::blocks_that_other_threads_give_back_are_used_again") {
        return;
    }
    let (send, receive) = mpsc::sync_channel::<Block>(64);
    let before = standing().bytes;
    thread::scope(|scope| {
        scope.spawn(move || receive.into_iter().for_each(|block| assert_eq!(*block, [5; 1000])));
        for _ in 0..50_000 {
            let mut block = zeroed(1000);
            block.fill(5);
            send.send(block).unwrap();
        }
        drop(send);
    });
    // 50 MB went through.
    assert!(standing().bytes < before + (2 << 20), "{} bytes of pages", standing().bytes);
}

#[test]
fn the_blocks_of_a_thread_that_has_ended_serve_the_next_one() {
    if !is_alone("tests::the_blocks_of_a_thread_that_has_ended_serve_the_next_one") {
        return;
    }
    let before = standing().bytes;
    for _ in 0..500 {
        let kept = thread::spawn(|| (0..100).map(|_| zeroed(1000)).collect::<Vec<_>>()).join().unwrap();
        // Given back when its thread is gone.
        drop(kept);
    }
    assert!(standing().bytes < before + (2 << 20), "{} bytes of pages", standing().bytes);
}

#[test]
fn threads_take_and_give_back_at_once_and_no_block_is_given_twice() {
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<(u8, Block)>();
        for thread in 0..6_u8 {
            let send = send.clone();
            scope.spawn(move || {
                let mut kept = Vec::new();
                for turn in 0..20_000_usize {
                    let mut block = zeroed(1 + (turn * 37 + usize::from(thread) * 101) % 3000);
                    assert!(block.iter().all(|byte| *byte == 0));
                    block.fill(thread + 1);
                    match turn % 3 {
                        0 => send.send((thread + 1, block)).unwrap(),
                        1 => kept.push(block),
                        _ => drop(block),
                    }
                    if kept.len() > 300 {
                        kept.drain(..150).for_each(|block| assert!(block.iter().all(|byte| *byte == thread + 1)));
                    }
                }
            });
        }
        drop(send);
        for (mark, block) in receive {
            assert!(block.iter().all(|byte| *byte == mark));
        }
    });
}

#[test]
fn what_cannot_be_had_is_said() {
    assert!(Block::try_zeroed(usize::MAX).is_none());
    assert!(Block::try_zeroed(isize::MAX as usize).is_none());
    assert_eq!(take(1 << 50).map(NonNull::as_ptr), None);
}

#[test]
fn the_pages_are_left_out_of_dumps_and_locked_as_far_as_the_limit_allows() {
    let block = zeroed(32);
    let standing = standing();
    assert!(standing.bytes > 0 && standing.locked <= standing.bytes);
    assert_eq!(standing.left_out_of_dumps, cfg!(target_os = "linux"));
    if cfg!(target_os = "linux") {
        let flags = flags_of(block.as_ptr().addr()).expect("the region in smaps");
        assert!(flags.contains(&"dd".into()), "{flags:?}");
        let locked = flags.contains(&"lo".into());
        // With so little in it, the first region is within any limit but none.
        assert!(locked || standing.is_refused(), "{standing:?} {flags:?}");
    }
}

/// The kernel's flags of the region that an address is in.
fn flags_of(address: usize) -> Option<Vec<String>> {
    let map = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let mut inside = false;
    for line in map.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let Some((Ok(from), Ok(to))) =
            range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)))
        {
            inside = (from..to).contains(&address);
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
            return Some(flags.split_whitespace().map(str::to_owned).collect());
        }
    }
    None
}
