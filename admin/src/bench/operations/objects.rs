//! Searches among many token objects, and reading attributes.
//!
//! Owns: the rows. The objects are private AES keys of the token, as an application has them. Each search asks for another
//! one of them, so that the place of an object in a module's lists makes no difference.

use super::{Operation, Prepared};
use crate::bench::desk::{Calling, Desk, Trouble};
use ffi_headers::*;
use pkcs11_client::{Answer, Module, Template};

const FAMILY: &str = "Objects";

/// So many objects there are beside the one that is looked for.
const COUNTS: [usize; 3] = [10, 1_000, 100_000];
/// So many different ones are looked for.
const DIFFERENT: usize = 64;

const EIGHT: [u64; 8] =
    [CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_ID, CKA_SENSITIVE, CKA_VALUE_LEN];

/// The rows.
pub fn operations() -> Vec<Operation> {
    let mut list = vec![
        Operation::new(FAMILY, "Read 1 attribute", |desk| attributes(desk, &[CKA_LABEL])).quick_if(true),
        Operation::new(FAMILY, "Read 8 attributes", |desk| attributes(desk, &EIGHT)),
    ];
    for count in COUNTS {
        let text = grouped(count);
        list.push(
            Operation::new(FAMILY, format!("Find by id among {text}"), move |desk| {
                one(desk, count, |desk, number| (CKA_ID, desk.id_of(number)))
            })
            .quick_if(count <= 10),
        );
        list.push(Operation::new(FAMILY, format!("Find by label among {text}"), move |desk| {
            one(desk, count, |desk, number| (CKA_LABEL, desk.label_of(number).into_bytes()))
        }));
        list.push(Operation::new(FAMILY, format!("Find everything of {text}"), move |desk| everything(desk, count)));
    }
    list
}

fn grouped(count: usize) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", count / 1000, count % 1000) }
}

fn attributes<const N: usize>(desk: &mut Desk, kinds: &'static [u64; N]) -> Result<Prepared, Trouble> {
    desk.populate(10)?;
    let object = desk.population()[3];
    let right = desk.attribute(object, CKA_LABEL)? == desk.label_of(3).into_bytes();
    Prepared::new(N * 64, move |module, session, hand| module.attributes(session, object, kinds, &mut hand.out)).proved(
        desk,
        "C_GetAttributeValue",
        |_| Ok(right),
    )
}

fn search(module: &Module, session: u64, template: &Template, room: &mut [u64]) -> Answer<(usize, u64)> {
    let (mut count, mut first) = (0, 0);
    module.find(session, template, room, |some| {
        if count == 0 {
            first = some.first().copied().unwrap_or_default();
        }
        count += some.len();
    })?;
    Ok((count, first))
}

fn one(desk: &mut Desk, count: usize, by: fn(&Desk, usize) -> (u64, Vec<u8>)) -> Result<Prepared, Trouble> {
    desk.populate(count)?;
    // Odd, and not a divisor of any count: the chosen ones are spread over all of them.
    let numbers = (0..DIFFERENT).map(|index| index * 7919 % count);
    let wanted: Vec<(Template, u64)> = numbers
        .map(|number| {
            let (kind, value) = by(desk, number);
            let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).bytes(kind, &value);
            (template, desk.population()[number])
        })
        .collect();
    for (template, object) in &wanted {
        let found = search(&desk.module, desk.session, template, &mut [0; 16]).calling("C_FindObjects")?;
        if found != (1, *object) {
            return Err(Trouble::Failed(format!("C_FindObjects: found {} objects, not the one", found.0)));
        }
    }
    Ok(Prepared::new(0, move |module, session, hand| {
        search(module, session, &wanted[hand.turn % DIFFERENT].0, &mut [0; 16]).map(|_found| ())
    }))
}

fn everything(desk: &mut Desk, count: usize) -> Result<Prepared, Trouble> {
    desk.populate(count)?;
    let all = Template::new();
    let (found, _) = search(&desk.module, desk.session, &all, &mut [0; 1024]).calling("C_FindObjects")?;
    if found < count {
        return Err(Trouble::Failed(format!("C_FindObjects: found {found} objects of {count}")));
    }
    Ok(Prepared::new(0, move |module, session, _| search(module, session, &all, &mut [0; 1024]).map(|_found| ())))
}
