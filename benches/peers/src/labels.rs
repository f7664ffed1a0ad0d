//! Two labels, as each library wants them: by their places, closed, or as texts.

use crate::harness::Walk;
use bellwether::Labels;
use measured::{
    LabelGroup,
    label::{LabelGroupSet, LabelGroupVisitor, LabelName, LabelValue, LabelVisitor},
    lasso::ThreadedRodeo,
};
use prometheus_client::encoding::EncodeLabelSet;
use std::{hint::black_box, sync::LazyLock};

/// One of `N` times `N` label sets.
#[derive(Clone, Copy)]
pub struct Place {
    pub method: usize,
    pub status: usize,
}

impl Place {
    #[inline(always)]
    pub fn index<const N: usize>(&self) -> usize {
        if N == 1 { 0 } else { self.method * N + self.status }
    }
}

/// One set after the other.
#[derive(Clone, Copy)]
pub struct Places<const N: usize>;

impl<const N: usize> Walk for Places<N> {
    type Item = Place;

    #[inline(always)]
    fn each(self, n: u64, mut body: impl FnMut(Place)) {
        // Hidden, or the compiler would unroll whole loops, and constants would stand for places.
        let (first, side, mut left) = (black_box(0), black_box(N), n as usize);
        if N.is_power_of_two() {
            let place = |number| Place { method: number / N % N, status: number % N };
            return (first..first + left).for_each(|number| body(place(number)));
        }
        loop {
            for method in 0..side {
                let run = side.min(left);
                (0..run).for_each(|status| body(Place { method, status }));
                left -= run;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

/// The texts of `N` methods and `N` statuses.
pub struct Texts {
    pub methods: Vec<&'static str>,
    pub statuses: Vec<&'static str>,
}

impl Texts {
    /// Of so many bytes in one set: three quarters of them the method's. They differ at their ends.
    pub fn new(n: usize, bytes: usize) -> &'static Self {
        let texts = |start: &str, len: usize| {
            let text = |i| format!("{}{i:02}", &start.repeat(8)[..len - 2]);
            (0..n).map(|i| &*text(i).leak()).collect()
        };
        let (methods, statuses) =
            (texts("/shop.Orders/", bytes - bytes / 4), texts("status-", bytes / 4));
        Box::leak(Box::new(Self { methods, statuses }))
    }

    /// 100 sets of 16 bytes.
    pub fn few() -> &'static Self {
        static FEW: LazyLock<&'static Texts> = LazyLock::new(|| Texts::new(10, 16));
        &FEW
    }

    #[inline(always)]
    pub fn at(&self, place: Place) -> (&'static str, &'static str) {
        (self.methods[place.method], self.statuses[place.status])
    }

    pub fn all(&'static self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let of = |&method| self.statuses.iter().map(move |&status| (method, status));
        self.methods.iter().flat_map(of)
    }
}

/// The label set of prometheus-client.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Request {
    pub method: &'static str,
    pub status: &'static str,
}

/// The label set of fastmetrics.
#[derive(Clone, Debug, Hash, PartialEq, Eq, fastmetrics::derive::LabelSet)]
pub struct FastRequest {
    pub method: &'static str,
    pub status: &'static str,
}

/// measured's, where the values are not known beforehand.
#[derive(Clone, Copy, measured::LabelGroup)]
#[label(set = OpenSet)]
pub struct Open<'a> {
    #[label(dynamic_with = ThreadedRodeo, default)]
    pub method: &'a str,
    #[label(dynamic_with = ThreadedRodeo, default)]
    pub status: &'a str,
}

/// What measured keeps a dense vector by; its `derive` would write the same, save for any `N`.
#[derive(Default)]
pub struct ClosedSet<const N: usize>;

#[derive(Clone, Copy)]
pub struct Closed<const N: usize>(pub Place);

impl<const N: usize> LabelGroup for Closed<N> {
    fn visit_values(&self, visitor: &mut impl LabelGroupVisitor) {
        let (method, status) = Texts::few().at(self.0);
        visitor.write_value(LabelName::from_str("method"), &Word(method));
        visitor.write_value(LabelName::from_str("status"), &Word(status));
    }
}

struct Word(&'static str);

impl LabelValue for Word {
    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.write_str(self.0)
    }
}

impl<const N: usize> LabelGroupSet for ClosedSet<N> {
    type Group<'a> = Closed<N>;
    type Unique = usize;

    fn cardinality(&self) -> Option<usize> {
        Some(N * N)
    }

    fn encode_dense(&self, value: usize) -> Option<usize> {
        Some(value)
    }

    fn decode_dense(&self, value: usize) -> Closed<N> {
        Closed(Place { method: value / N, status: value % N })
    }

    fn encode(&self, set: Closed<N>) -> Option<usize> {
        Some(set.0.index::<N>())
    }

    fn decode(&self, value: &usize) -> Closed<N> {
        self.decode_dense(*value)
    }
}

/// Bellwether's, of enums.
#[derive(Labels, Clone, Copy)]
pub struct Enums {
    pub method: Method,
    pub status: Status,
}

/// Of an enum and a `bool`.
#[derive(Labels, Clone, Copy)]
pub struct Flagged {
    pub method: Method,
    pub is_cached: bool,
}

macro_rules! ten {
    ($type:ident: $($value:ident)*) => {
        #[derive(Labels, Clone, Copy)]
        pub enum $type { $($value),* }

        impl $type {
            pub const ALL: [Self; 10] = [$(Self::$value),*];
        }
    };
}

ten!(Method: Get Head Post Put Delete Connect Options Trace Patch Query);
ten!(Status: Continue Ok Created NoContent Moved NotModified Bad NotFound Error Unavailable);

#[derive(Labels, Clone, Copy)]
pub struct Ten {
    #[label(range = 0..=9)]
    pub method: u8,
    #[label(range = 0..=9)]
    pub status: u8,
}

#[derive(Labels, Clone, Copy)]
pub struct Hundred {
    #[label(range = 0..=99)]
    pub method: u8,
    #[label(range = 0..=99)]
    pub status: u8,
}

/// Texts that are known beforehand: those of [`Texts::few`].
#[derive(Labels, Clone, Copy)]
pub struct Listed<'a> {
    #[label(values = ["/shop.Orde00", "/shop.Orde01", "/shop.Orde02", "/shop.Orde03", "/shop.Orde04",
        "/shop.Orde05", "/shop.Orde06", "/shop.Orde07", "/shop.Orde08", "/shop.Orde09"])]
    pub method: &'a str,
    #[label(values = ["st00", "st01", "st02", "st03", "st04", "st05", "st06", "st07", "st08", "st09"])]
    pub status: &'a str,
}

#[derive(Labels, Clone, Copy)]
pub struct Interned<'a> {
    #[label(intern = 100)]
    pub method: &'a str,
    #[label(intern = 100)]
    pub status: &'a str,
}

#[derive(Labels, Clone, Copy)]
pub struct AnyText<'a> {
    pub method: &'a str,
    pub status: &'a str,
}
