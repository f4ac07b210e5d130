//! Amounts of money as text.

/// Whether `code` has the form of an ISO 4217 code: three capital letters.
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Number of decimals of a currency (ISO 4217, minor units that differ from 2).
fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// An amount in minor units with its currency, such as `USD 12.50`, `JPY 1200` or `KWD 1.250`.
pub fn amount_text(amount_minor: i64, currency: &str) -> String {
    let decimals = decimals(currency);
    let unit = 10_u64.pow(decimals);
    let sign = if amount_minor < 0 { "-" } else { "" };
    let (whole, rest) = (amount_minor.unsigned_abs() / unit, amount_minor.unsigned_abs() % unit);
    match decimals {
        0 => format!("{currency} {sign}{whole}"),
        _ => format!("{currency} {sign}{whole}.{rest:0width$}", width = decimals as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (amount_minor, currency, text) in [
            (1200, "JPY", "JPY 1200"),
            (0, "KRW", "KRW 0"),
            (1250, "USD", "USD 12.50"),
            (5, "USD", "USD 0.05"),
            (0, "EUR", "EUR 0.00"),
            (1250, "KWD", "KWD 1.250"),
            (7, "BHD", "BHD 0.007"),
            (12_345, "CLF", "CLF 1.2345"),
            (-50, "USD", "USD -0.50"),
            (i64::MAX, "JPY", "JPY 9223372036854775807"),
            (i64::MIN, "USD", "USD -92233720368547758.08"),
        ] {
            assert_eq!(amount_text(amount_minor, currency), text);
        }
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert!(is_currency("JPY"));
        for code in ["", "JP", "jpy", "JPYX", "J1Y", "¥"] {
            assert!(!is_currency(code), "{code}");
        }
    }
}
