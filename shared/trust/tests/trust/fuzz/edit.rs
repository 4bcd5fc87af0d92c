//! Edits that turn a right text into an almost right one.
//!
//! Random bytes never get past the first brace; what finds mistakes is a right input with a few things moved.

use bolero::TypeGenerator;

/// One input: a seed, which of its parts are changed, and how.
#[derive(Clone, Debug, TypeGenerator)]
pub(super) struct Recipe {
    /// Which seed, modulo their number.
    seed: u16,
    /// How many of `edits` are made, modulo four: most edits together only make noise.
    count: u8,
    edits: [Edit; 3],
    /// Whether what was changed is signed again by the right key, so that what lies behind the signature is
    /// reached too.
    signed: bool,
    /// Whatever else a target wants to choose.
    pub(super) choice: u8,
}

#[derive(Clone, Debug, TypeGenerator)]
struct Edit {
    /// Which part of the seed, modulo their number.
    part: u8,
    at: u16,
    what: What,
}

#[derive(Clone, Debug, TypeGenerator)]
enum What {
    Flip(u8),
    Put(u8),
    Insert(u8),
    Cut(u8),
    Repeat(u8),
    Word(u8),
    /// One more member, at a place where a member may stand.
    Member(u8),
    Swap(u16),
    End,
}

/// Texts that mean something to one of the readers.
const WORDS: [&[u8]; 27] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"0",
    b"18446744073709551616",
    b"0.5",
    b"\xff",
    b"\xef\xbb\xbf",
    b"=",
    b"-",
    b"_",
    b"+",
    b"/",
    b".",
    b"\n",
    b" ",
    b"-----BEGIN PUBLIC KEY-----\n",
];

/// Members that some reader looks for, to stand beside those that are there.
const MEMBERS: [&[u8]; 19] = [
    br#""alg":"none","#,
    br#""kid":"other","#,
    br#""typ":"x","#,
    br#""crit":[],"#,
    br#""jku":"x","#,
    br#""x5c":[],"#,
    br#""jwk":{},"#,
    br#""b64":false,"#,
    br#""iss":"x","#,
    br#""aud":"x","#,
    br#""exp":1,"#,
    br#""payload":"","#,
    br#""payloadType":"x","#,
    br#""signatures":[],"#,
    br#""mediaType":"x","#,
    br#""dsseEnvelope":{},"#,
    br#""unknown":0,"#,
    b"timestamp=1,",
    b"signature=00,",
];

impl Recipe {
    /// The seed that the recipe takes.
    pub(super) fn seed<'s>(&self, seeds: &'s [Vec<u8>]) -> &'s [u8] {
        &seeds[usize::from(self.seed) % seeds.len()]
    }

    /// Makes the edits to the parts of a seed.
    pub(super) fn edit(&self, parts: &mut [Vec<u8>]) {
        for Edit { part, at, what } in self.edits.iter().take(usize::from(self.count % 4)) {
            let part = usize::from(*part) % parts.len();
            what.apply(&mut parts[part], usize::from(*at));
        }
    }

    /// The only part of a seed, edited.
    pub(super) fn edited(&self, seed: &[u8]) -> Vec<u8> {
        let mut parts = [seed.to_vec()];
        self.edit(&mut parts);
        let [edited] = parts;
        edited
    }

    /// Whether the right key is to sign what came of it. One in four: a signature costs more than all the rest.
    pub(super) fn is_signed_again(&self) -> bool {
        self.signed && self.choice.is_multiple_of(2)
    }
}

impl What {
    fn apply(&self, bytes: &mut Vec<u8>, at: usize) {
        let at = at % (bytes.len() + 1);
        let end = |len: u8| (at + 1 + usize::from(len % 32)).min(bytes.len());
        match self {
            Self::Insert(byte) => bytes.insert(at, *byte),
            Self::Word(word) => {
                bytes.splice(at..at, WORDS[usize::from(*word) % WORDS.len()].iter().copied());
            }
            Self::Member(member) => {
                let after = |place: &usize| matches!(bytes[*place], b'{' | b',');
                let places: Vec<_> =
                    (0..bytes.len()).filter(after).map(|place| place + 1).chain([0]).collect();
                let place = places[at % places.len()];
                bytes.splice(place..place, MEMBERS[usize::from(*member) % MEMBERS.len()].iter().copied());
            }
            Self::End => bytes.truncate(at),
            // The others change what is there.
            _ if at == bytes.len() => {}
            Self::Flip(bit) => bytes[at] ^= 1 << (bit % 8),
            Self::Put(byte) => bytes[at] = *byte,
            Self::Cut(len) => drop(bytes.drain(at..end(*len))),
            Self::Repeat(len) => {
                let again = bytes[at..end(*len)].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Swap(other) => {
                let other = usize::from(*other) % bytes.len();
                bytes.swap(at, other);
            }
        }
    }
}
