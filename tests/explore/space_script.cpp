#include "space_script.hpp"

#include <cctype>
#include <random>
#include <stdexcept>
#include <utility>

namespace explore {

using namespace manylock::address_space;

namespace {

constexpr std::size_t heap_above = 6;
constexpr std::size_t stack_above = 396;
constexpr std::size_t pages_with_stack = 416;
constexpr std::size_t pages_with_heap = 24;

[[nodiscard]] address page(std::size_t n) {
    return space_script::base + n * page_size;
}

class reader {
public:
    explicit reader(std::string_view text) : text_{text} {}

    [[nodiscard]] bool at_end() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
        return at_ == text_.size();
    }
    [[nodiscard]] char next() { return at_ < text_.size() ? text_[at_++] : '\0'; }
    [[nodiscard]] bool skip(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    [[nodiscard]] std::size_t number() {
        std::size_t n = 0;
        if (at_ >= text_.size() || std::isdigit(static_cast<unsigned char>(text_[at_])) == 0)
            refuse("a number of pages");
        while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0)
            n = n * 10 + static_cast<std::size_t>(text_[at_++] - '0');
        return n;
    }
    void range(operation& op) {
        std::size_t const from = number();
        std::size_t const to = skip('-') ? number() : from + 1;
        op.start = page(from);
        op.length = (to - from) * page_size;
    }
    [[nodiscard]] std::uint32_t prot() {
        switch (next()) {
            case 'n': return 0;
            case 'r': return abi::prot_read;
            case 'w': return abi::prot_read | abi::prot_write;
            default: refuse("n, r or w");
        }
    }
    [[noreturn]] void refuse(std::string const& expected) const {
        throw std::invalid_argument{"space script '" + std::string{text_} + "', character " +
                                    std::to_string(at_ + 1) + ": expected " + expected};
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

[[nodiscard]] operation map_at(std::size_t from, std::size_t to, std::uint32_t prot) {
    operation op;
    op.what = call::map;
    op.start = page(from);
    op.length = (to - from) * page_size;
    op.prot = prot;
    op.flags = abi::map_private | abi::map_anonymous | abi::map_fixed;
    return op;
}

[[nodiscard]] operation read_operation(reader& from, space_script const& s) {
    operation op;
    switch (from.next()) {
        case 'm':
            op = map_at(0, 0, 0);
            from.range(op);
            op.prot = from.prot();
            break;
        case 'M':
            op = map_at(0, from.number(), 0);
            op.flags &= ~std::uint32_t{abi::map_fixed};
            op.start = 0;
            op.prot = from.prot();
            break;
        case 'u':
            op.what = call::unmap;
            from.range(op);
            break;
        case 'p':
            op.what = call::protect;
            from.range(op);
            op.prot = from.prot();
            break;
        case 'l':
            op.what = call::lock_range;
            from.range(op);
            break;
        case 'k':
            op.what = call::unlock_range;
            from.range(op);
            break;
        case 'L':
            op.what = call::lock_all;
            op.flags = abi::mcl_current | abi::mcl_future;
            break;
        case 'K': op.what = call::unlock_all; break;
        case 'd':
            op.what = call::advise;
            op.advice = abi::madv_dontneed;
            from.range(op);
            break;
        case 'f':
        case 'F': break;  // below
        case 'b':
            op.what = call::set_break;
            op.start = s.globals.start_brk + from.number() * page_size;
            break;
        case 'x':
            op.what = call::remap;
            from.range(op);
            op.flags = abi::mremap_maymove;
            op.new_length = op.length;
            if (from.skip('>')) {
                op.flags |= abi::mremap_fixed;
                op.new_start = page(from.number());
            } else if (from.skip('+')) {
                op.new_length = from.number() * page_size;
            } else {
                from.refuse("> and a page, or + and a number of pages");
            }
            break;
        default: from.refuse("an operation, as in m2-5w");
    }
    return op;
}

/// The letter decides what a page is like: equal ones side by side are one VMA.
void add_run(std::vector<operation>& to, std::size_t from, std::size_t until, char letter) {
    auto const kind = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    std::uint32_t const prot = kind == 'n'   ? 0U
                               : kind == 'r' ? std::uint32_t{abi::prot_read}
                                             : std::uint32_t{abi::prot_read | abi::prot_write};
    to.push_back(map_at(from, until, prot));
    if (kind != letter) {
        operation name = to.back();
        name.what = call::set_name;
        name.file.path = static_cast<std::uint32_t>(from + 1);
        to.push_back(name);
    }
    if (kind == 'a') {
        operation touch;
        touch.start = page(from);
        touch.flags = fault_write;
        to.push_back(touch);
    }
}

}  // namespace

space_script space_script::parse(std::string_view text) {
    space_script s{.text = std::string{text},
                   .globals = {},
                   .first = {},
                   .threads = {},
                   .model = {base, 0, {}}};
    auto const colon = text.find(':');
    if (colon == std::string_view::npos)
        throw std::invalid_argument{"space script '" + s.text +
                                    "': expected pages and a colon, as in rr.w: m2w|u0-4"};
    std::string_view layout = text.substr(0, colon);
    for (; !layout.empty() && (layout[0] == '=' || layout[0] == '%'); layout.remove_prefix(1))
        (layout[0] == '=' ? s.nothing_goes : s.loads_are_points) = layout[0] == '=';
    s.window = layout.size();
    s.globals.start_brk = page(s.window + heap_above) + 0x123;
    s.globals.brk = s.globals.start_brk;
    s.globals.start_stack = page(s.window + stack_above) + 8;
    s.globals.mmap_floor = base;
    s.globals.mmap_base = page(s.window);
    for (std::size_t i = 0; i < layout.size();) {
        std::size_t end = i + 1;
        while (end < layout.size() && layout[end] == layout[i]) ++end;
        if (std::string_view{".rwnaRWNA"}.find(layout[i]) == std::string_view::npos)
            throw std::invalid_argument{"space script '" + s.text +
                                        "': a page is one of .rwnaRWNA"};
        if (layout[i] != '.') add_run(s.first, i, end, layout[i]);
        i = end;
    }
    s.threads.emplace_back();
    reader from{text.substr(colon + 1)};
    bool stack = false;
    while (!from.at_end()) {
        if (from.skip('|')) {
            s.threads.emplace_back();
            continue;
        }
        bool const write = from.skip('F');
        if (write || from.skip('f')) {
            operation touch;
            touch.start = page(from.number());
            touch.flags = write ? std::uint32_t{fault_write} : 0U;
            s.threads.back().push_back(touch);
        } else {
            s.threads.back().push_back(read_operation(from, s));
        }
        auto const what = s.threads.back().back().what;
        if (what == call::map || what == call::remap || what == call::set_break)
            s.only_unmaps = false;
        stack = stack || s.threads.back().back().start >= page(s.window + heap_above + 16);
    }
    if (stack) {
        operation op = map_at(s.window + stack_above, s.window + stack_above + 4,
                              abi::prot_read | abi::prot_write);
        op.flags |= abi::map_growsdown;
        s.first.push_back(op);
    }
    s.model = naive_model{base, s.window + (stack ? pages_with_stack : pages_with_heap), s.globals};
    for (auto const& op : s.first) (void)s.model.apply(op, 0);
    return s;
}

std::string random_space_script(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    auto const draw = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
    // Half of them fight for room.
    bool const crowded = draw(2) == 0;
    std::size_t const window = crowded ? 5 + draw(3) : 8;
    std::string text(window, '.');
    for (std::size_t i = 0; i < window;) {
        auto const letter = std::string_view{crowded ? ".....waWR" : "..rwwaaWR"}[draw(9)];
        for (auto const end = std::min(window, i + 1 + draw(3)); i < end; ++i) text[i] = letter;
    }
    text += ':';
    std::size_t const threads = 2 + draw(2);
    for (std::size_t t = 0; t < threads; ++t) {
        if (t > 0) text += '|';
        for (std::size_t n = 1 + draw(2); n > 0; --n) {
            char const what = std::string_view{crowded ? "mmmmmmMMMMMMMMMMuuufx"
                                                       : "mmmMMuuppplkfFFdxxbLK"}[draw(21)];
            std::size_t const from = draw(window);
            std::size_t const to = from + 1 + draw(std::min<std::size_t>(4, window - from));
            text += what;
            if (what == 'L' || what == 'K') continue;
            if (what == 'M') {
                text += std::to_string(1 + draw(3));
            } else if (what == 'b') {
                text += std::to_string(draw(4));
                continue;
            } else {
                text += std::to_string(from);
                if (what != 'f' && what != 'F') text += '-' + std::to_string(to);
            }
            if (what == 'x')
                text += draw(2) == 0 ? '+' + std::to_string(1 + draw(3))
                                     : '>' + std::to_string(draw(window + 1 - (to - from)));
            if (what == 'm' || what == 'M' || what == 'p') text += "nrww"[draw(4)];
        }
    }
    return text;
}

std::string text_of(operation const& op) {
    auto const number = [](address a) {
        return std::to_string((a - space_script::base) / page_size);
    };
    auto const range = [&] { return number(op.start) + '-' + number(op.start + op.length); };
    std::string const prot{"nr?w"[op.prot & 3U]};
    switch (op.what) {
        case call::map:
            if ((op.flags & abi::map_fixed) == 0)
                return 'M' + std::to_string(op.length / page_size) + prot;
            return 'm' + range() + prot;
        case call::unmap: return 'u' + range();
        case call::protect: return 'p' + range() + prot;
        case call::lock_range: return 'l' + range();
        case call::unlock_range: return 'k' + range();
        case call::lock_all: return "L";
        case call::unlock_all: return "K";
        case call::advise: return 'd' + range();
        case call::set_break: return "b(" + number(op.start) + ')';
        case call::remap:
            return 'x' + range() +
                   ((op.flags & abi::mremap_fixed) != 0
                        ? '>' + number(op.new_start)
                        : '+' + std::to_string(op.new_length / page_size));
        case call::fault: return ((op.flags & fault_write) != 0 ? 'F' : 'f') + number(op.start);
        default: return "?";
    }
}

}  // namespace explore
