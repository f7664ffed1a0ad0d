//! Where the library is, for the code that the macros write.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{LitStr, Path, Result, Token, parse::ParseStream};

/// The path of the library: `::bellwether`, unless `crate = path` says otherwise.
#[derive(Default)]
pub(crate) struct Root(Option<Path>);

impl Root {
    /// Reads `= path` or, as serde has it, `= "path"`.
    pub(crate) fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.parse::<Token![=]>()?;
        let path = if input.peek(LitStr) {
            input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?
        } else {
            input.call(Path::parse_mod_style)?
        };
        Ok(Self(Some(path)))
    }

    /// Reads each `crate = path,` before the arguments of a macro. The last one holds: the first is
    /// that of the `macro_rules!` which the library puts around its macros.
    pub(crate) fn parse_leading(input: ParseStream<'_>) -> Result<Self> {
        let mut root = Self::default();
        while input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            root = Self::parse(input)?;
            input.parse::<Token![,]>()?;
        }
        Ok(root)
    }
}

impl Root {
    /// The path, placed where messages are to point.
    pub(crate) fn at(&self, at: Span) -> TokenStream {
        match &self.0 {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(at=> ::bellwether),
        }
    }
}

impl ToTokens for Root {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.at(Span::call_site()));
    }
}
