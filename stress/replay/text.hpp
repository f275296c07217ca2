// Small strict pieces for taking a line of text apart: nothing is skipped and nothing is guessed; a
// number that does not fill its field exactly is no number.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manylock::replay {

template <class Integer>
[[nodiscard]] inline std::optional<Integer> parse_integer(std::string_view text, int base = 10) {
    Integer value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// "0x1f", "31", and strace's "NULL".
[[nodiscard]] inline std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (text == "NULL") {
        return 0;
    }
    if (text.starts_with("0x")) {
        return parse_integer<std::uint64_t>(text.substr(2), 16);
    }
    return parse_integer<std::uint64_t>(text);
}

/// A decimal number with up to nine digits after the point, times 10^`power`: parse_decimal("2.5",
/// 3) is 2500. Exact, no floating point: seconds since 1970 in nanoseconds do not fit a double.
[[nodiscard]] inline std::optional<std::int64_t> parse_decimal(std::string_view text, int power) {
    bool const negative = text.starts_with('-');
    if (negative) {
        text.remove_prefix(1);
    }
    std::size_t const point = text.find('.');
    auto const whole = parse_integer<std::uint64_t>(text.substr(0, point));
    std::string_view fraction =
        point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
    if (!whole || fraction.size() > 9 || (fraction.empty() && point != std::string_view::npos)) {
        return std::nullopt;
    }
    std::uint64_t scaled = *whole;
    auto constexpr limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    for (int digit = 0; digit < power; ++digit) {
        std::uint64_t next = 0;
        if (!fraction.empty()) {
            if (fraction.front() < '0' || fraction.front() > '9') {
                return std::nullopt;
            }
            next = static_cast<std::uint64_t>(fraction.front() - '0');
            fraction.remove_prefix(1);
        }
        if (scaled > (limit - next) / 10) {
            return std::nullopt;
        }
        scaled = scaled * 10 + next;
    }
    if (scaled > limit || fraction.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    auto const value = static_cast<std::int64_t>(scaled);
    return negative ? -value : value;
}

[[nodiscard]] inline std::string_view trim(std::string_view text) {
    std::size_t const first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text,
                                                         std::string_view separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        std::size_t const at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + separator.size());
    }
}

/// Cuts the text before the next `separator` off the front of `rest`.
inline std::string_view cut(std::string_view& rest, char separator) {
    std::size_t const at = rest.find(separator);
    std::string_view const part = rest.substr(0, at);
    rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
    return part;
}

/// Input as it may be shown in a message: shortened, with control bytes replaced.
[[nodiscard]] inline std::string quoted(std::string_view text) {
    constexpr std::size_t shown_max = 60;
    std::string out = "'";
    for (char const letter : text.substr(0, shown_max)) {
        auto const byte = static_cast<unsigned char>(letter);
        out.push_back(byte < 0x20 || byte >= 0x7f ? '?' : letter);
    }
    out += text.size() > shown_max ? "...'" : "'";
    return out;
}

}  // namespace manylock::replay
