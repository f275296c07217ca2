// Reads the strace form: trace.strace says what was called, order.tsv when each call took the
// mmap_lock, mmap2.tsv which file each mapping got.
// Two passes. The first turns every line into a record; the second walks the records in line order
// and keeps those of threads that share the root's address space, because a child's first lines
// come before the line that says how it was made.

#include "reading.hpp"
#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace manylock::replay {
namespace {

namespace fs = std::filesystem;
using address_space::call;
using address_space::page_size;

constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::min();
/// mmap2.tsv counts whole microseconds, order.tsv tenths.
constexpr std::int64_t rounding_ns = 1'000;
/// strace measures a call from its entry stop, and the kernel may run it that much later.
constexpr std::int64_t late_ns = 5'000'000;

enum class record_kind : std::uint8_t { operation, creation, replacement, exit, other };

struct record {
    record_kind kind = record_kind::other;
    bool finished = false;       ///< has a result
    bool shares_memory = false;  ///< creation: CLONE_VM or vfork
    bool same_process = false;   ///< creation: CLONE_THREAD
    std::uint32_t tid = 0;
    std::uint32_t line = 0;
    std::uint32_t name = 0;  ///< number of the call's name in `names`
    std::int32_t fd = -1;
    std::int64_t enter_ns = 0;  ///< on strace's clock
    std::int64_t exit_ns = 0;
    std::int64_t result = 0;
    std::uint32_t path = 0;  ///< mmap: number of the descriptor's path in `names`
    address_space::operation op{};
};

/// The result part of a line: " = 0x7f00 <0.000012>".
struct call_result {
    bool known = false;  ///< false for "?"
    std::int64_t value = 0;
    std::int64_t duration_ns = 0;
};

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || at + 1 == text.size()) {
            out.push_back(text[at]);
            continue;
        }
        std::size_t digits = 0;
        unsigned value = 0;
        while (digits < 3 && at + 1 + digits < text.size() && text[at + 1 + digits] >= '0' &&
               text[at + 1 + digits] <= '7') {
            value = value * 8 + static_cast<unsigned>(text[at + 1 + digits] - '0');
            ++digits;
        }
        if (digits == 0) {
            out.push_back(text[++at]);  // \\ and \"
        } else {
            out.push_back(static_cast<char>(value));
            at += digits;
        }
    }
    return out;
}

class strace_reader {
public:
    strace_reader(program_builder& builder, fs::path const& calls)
        : builder_{builder}, reader_{calls, builder.options().max_file_bytes} {}

    void read_lines() {
        std::string_view line;
        while (reader_.next(line)) {
            read_line(line);
        }
    }

    [[nodiscard]] std::vector<record>& records() noexcept { return records_; }
    [[nodiscard]] string_table& names() noexcept { return names_; }
    [[nodiscard]] line_reader const& reader() const noexcept { return reader_; }

private:
    struct open_call {
        std::size_t record;
        std::string text;  ///< "(ARGS" so far
    };

    void read_line(std::string_view line) {
        if (line.empty() || line.starts_with("strace: ")) {
            return;
        }
        std::string_view rest = line;
        auto const tid = parse_integer<std::uint32_t>(cut(rest, ' '));
        rest = trim(rest);
        auto const time_ns = parse_decimal(cut(rest, ' '), 9);
        rest = trim(rest);
        if (!tid || !time_ns || *time_ns < 0 || rest.empty()) {
            builder_.unknown(reader_, quoted(line) + " is not a line 'pid seconds call' of strace");
            return;
        }
        if (rest.starts_with("--- ")) {
            return;
        }
        if (rest.starts_with("+++ ")) {
            end_thread(*tid, *time_ns);
        } else if (rest.starts_with("<... ")) {
            resume(*tid, *time_ns, rest.substr(5));
        } else if (!rest.starts_with("?\?\?(")) {
            start_call(*tid, *time_ns, rest);
        }
    }

    /// An strace older than mseal prints its number.
    static std::string_view canonical_name(std::string_view name) {
        return name == "syscall_0x1ce" ? "mseal" : name;
    }

    record& add_record(std::uint32_t tid, std::int64_t time_ns, std::string_view name) {
        if (records_.size() >= builder_.options().max_items) {
            reader_.fail("the recording holds more than " +
                         std::to_string(builder_.options().max_items) + " calls");
        }
        record& added = records_.emplace_back();
        added.tid = tid;
        added.line = static_cast<std::uint32_t>(reader_.line_number());
        added.enter_ns = time_ns;
        added.exit_ns = time_ns;
        added.name = names_.intern(name);
        return added;
    }

    void end_thread(std::uint32_t tid, std::int64_t time_ns) {
        auto const open = open_calls_.find(tid);
        if (open != open_calls_.end()) {
            open_calls_.erase(open);
        }
        record& end = add_record(tid, time_ns, "+++");
        end.kind = record_kind::exit;
        end.finished = true;
    }

    void start_call(std::uint32_t tid, std::int64_t time_ns, std::string_view text) {
        std::size_t const open = text.find('(');
        std::string_view const name = canonical_name(text.substr(0, open));
        if (open == std::string_view::npos || name.empty() ||
            name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") !=
                std::string_view::npos) {
            builder_.unknown(reader_, quoted(text) + " is not a system call");
            return;
        }
        if (classify(name) == call_class::unknown) {
            builder_.unknown(reader_, "the call " + quoted(name) +
                                          " is none that a recording of memory calls may hold");
            return;
        }
        if (open_calls_.contains(tid)) {
            builder_.unknown(reader_, "thread " + std::to_string(tid) +
                                          " calls while an earlier call of it is unfinished");
            return;
        }
        add_record(tid, time_ns, name);
        constexpr std::string_view unfinished = " <unfinished ...>";
        std::string_view const arguments = text.substr(open);
        if (arguments.ends_with(unfinished)) {
            open_calls_[tid] = {records_.size() - 1, std::string{arguments.substr(
                                                         0, arguments.size() - unfinished.size())}};
            return;
        }
        complete(records_.size() - 1, arguments, std::nullopt);
    }

    void resume(std::uint32_t tid, std::int64_t time_ns, std::string_view text) {
        constexpr std::string_view resumed = " resumed>";
        std::size_t const at = text.find(resumed);
        auto const open = open_calls_.find(tid);
        if (at == std::string_view::npos || open == open_calls_.end() ||
            names_[records_[open->second.record].name] != canonical_name(text.substr(0, at))) {
            builder_.unknown(reader_, quoted(text) + " resumes no unfinished call of thread " +
                                          std::to_string(tid));
            return;
        }
        std::string whole = std::move(open->second.text);
        std::size_t const record_number = open->second.record;
        open_calls_.erase(open);
        whole += text.substr(at + resumed.size());
        if (whole.size() > 2 * line_bytes_max) {
            reader_.fail("the resumed call is longer than two lines may be");
        }
        complete(record_number, whole, time_ns);
    }

    /// `text` is "(ARGS) = RESULT"; `resumed_ns` the time of the line that gave the result, if it is
    /// not the line of the call.
    void complete(std::size_t number, std::string_view text,
                  std::optional<std::int64_t> resumed_ns) {
        record& entry = records_[number];
        std::size_t equals = text.rfind(" = ");
        std::size_t close = std::string_view::npos;
        while (equals != std::string_view::npos) {
            close = text.find_last_not_of(' ', equals);
            if (close != std::string_view::npos && text[close] == ')') {
                break;
            }
            equals = equals == 0 ? std::string_view::npos : text.rfind(" = ", equals - 1);
        }
        if (equals == std::string_view::npos) {
            builder_.unknown(reader_, quoted(text) + " has no result ') = ...'");
            return;
        }
        std::string_view const arguments = text.substr(1, close - 1);
        auto const result = parse_result(trim(text.substr(equals + 3)));
        if (!result) {
            builder_.unknown(reader_, quoted(text.substr(equals + 3)) +
                                          " is not a result 'value <seconds>' of a call");
            return;
        }
        entry.finished = result->known;
        entry.result = result->value;
        entry.exit_ns = resumed_ns.value_or(entry.enter_ns + result->duration_ns);
        interpret(entry, arguments);
    }

    static std::optional<call_result> parse_result(std::string_view text) {
        call_result result;
        if (text.ends_with('>')) {
            std::size_t const open = text.rfind('<');
            if (open == std::string_view::npos) {
                return std::nullopt;
            }
            std::string_view const seconds = text.substr(open + 1, text.size() - open - 2);
            auto const duration = parse_decimal(seconds, 9);
            if ((!duration || *duration < 0) && seconds != "unavailable") {
                return std::nullopt;
            }
            result.duration_ns = duration.value_or(0);
            text = trim(text.substr(0, open));
        }
        std::string_view rest = text;
        std::string_view const value = cut(rest, ' ');
        if (value == "?") {
            return result;
        }
        result.known = true;
        if (value == "-1" && !rest.empty()) {
            auto const error = errno_value(cut(rest, ' '));
            if (!error) {
                return std::nullopt;
            }
            result.value = -*error;
            return result;
        }
        bool const annotated = rest.empty() || (rest.front() == '(' && rest.back() == ')');
        auto const number = parse_number(value);  // "(DELAYED)" and the like may follow
        if (!number || !annotated || *number > address_space::address_limit) {
            return std::nullopt;
        }
        result.value = static_cast<std::int64_t>(*number);
        return result;
    }

    void interpret(record& entry, std::string_view arguments) {
        std::string const& name = names_[entry.name];
        switch (classify(name)) {
            case call_class::changes: interpret_change(entry, name, arguments); break;
            case call_class::creates: interpret_creation(entry, name, arguments); break;
            case call_class::replaces: entry.kind = record_kind::replacement; break;
            case call_class::exits:
                entry.kind = record_kind::exit;
                entry.finished = true;
                break;
            case call_class::neutral:
                if (name == "prctl" && entry.finished) {
                    interpret_prctl(entry, arguments);
                }
                break;
            case call_class::unmodelled:
                if (entry.finished && entry.result >= 0) {
                    refuse_unmodelled(name);
                }
                break;
            case call_class::unknown: break;  // refused when the call began
        }
    }

    void refuse_unmodelled(std::string const& name) {
        builder_.unknown(
            reader_, "the call " + name + " succeeded, and its effect on the VMAs is not modelled");
    }

    // prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, length, "name" or NULL)
    void interpret_prctl(record& entry, std::string_view arguments) {
        constexpr std::string_view naming = "PR_SET_VMA, PR_SET_VMA_ANON_NAME, ";
        constexpr std::string_view number = "0x53564d41";  // PR_SET_VMA, where strace is older
        bool const of_vmas = arguments.starts_with("PR_SET_VMA") || arguments.starts_with(number);
        if (!names_vmas(entry.result) || (!of_vmas && !arguments.starts_with("PR_SET_MM"))) {
            return;
        }
        if (!arguments.starts_with(naming)) {
            refuse_unmodelled("prctl");
            return;
        }
        std::string_view rest = arguments.substr(naming.size());
        auto const start = parse_number(cut(rest, ','));
        auto const length = parse_number(trim(cut(rest, ',')));
        rest = trim(rest);
        bool const whole = rest.size() > 2 && rest.front() == '"' && rest.back() == '"';
        if (!start || !length || (!whole && rest != "NULL")) {
            builder_.unknown(reader_, "the arguments " + quoted(arguments) +
                                          " do not hold a range and a whole name; strace needs "
                                          "-s 80 to show one");
            return;
        }
        entry.kind = record_kind::operation;
        entry.op.what = call::set_name;
        entry.op.start = *start;
        entry.op.length = *length;
        entry.op.result = entry.result;
        if (whole) {
            entry.op.file.path =
                builder_.program().paths.intern(unescape(rest.substr(1, rest.size() - 2)));
        }
    }

    void interpret_change(record& entry, std::string const& name, std::string_view arguments) {
        auto const parsed = name == "mmap"    ? parse_mmap(entry, arguments)
                            : name == "mbind" ? parse_mbind(entry, arguments)
                                              : parse_arguments(name, arguments);
        auto const op = parsed ? make_operation(name, *parsed, entry.result) : std::nullopt;
        if (!op) {
            builder_.unknown(reader_,
                             "the arguments " + quoted(arguments) + " are not those of " + name);
            return;
        }
        constexpr std::uint64_t no_key = 0xffffffff;
        if (name == "pkey_mprotect" && entry.result == 0 && parsed->value[3] != 0 &&
            (parsed->value[3] & no_key) != no_key) {
            refuse_unmodelled(name);
            return;
        }
        if (name == "mbind" && !policy_applies(entry, *parsed)) {
            return;
        }
        std::uint32_t const policy = entry.op.flags;
        entry.kind = record_kind::operation;
        entry.op = *op;
        if (name == "mbind") {
            entry.op.flags = policy;
        }
    }

    /// False for an mbind that cannot be an operation: refused here.
    bool policy_applies(record const& entry, call_arguments const& arguments) {
        bool const half = entry.result == -EIO && (arguments.value[5] & mbind_moves) != 0;
        bool const unknown = entry.result == 0 && entry.op.flags == unknown_policy;
        if (half || unknown) {
            builder_.unknown(reader_, half
                                          ? "an mbind that could not move every page has an effect "
                                            "that is not modelled"
                                          : "the node mask of a successful mbind is not shown");
        }
        return !half && !unknown;
    }

    static std::optional<std::uint64_t> parse_argument(std::string const& name, std::size_t index,
                                                       std::string_view text) {
        if ((name == "mmap" || name == "mprotect" || name == "pkey_mprotect") && index == 2) {
            return parse_symbols(text, "PROT_");
        }
        if (name == "mmap" && index == 3) {
            return parse_symbols(text, "MAP_");
        }
        if (name == "mremap" && index == 3) {
            return parse_symbols(text, "MREMAP_");
        }
        if (name == "madvise" && index == 2) {
            return parse_symbols(text, "MADV_");
        }
        if (name == "mlock2" && index == 2) {
            return parse_symbols(text, "MLOCK_");
        }
        if (name == "mlockall") {
            return parse_symbols(text, "MCL_");
        }
        if (name == "remap_file_pages" && (index == 2 || index == 4)) {
            return parse_symbols(text, index == 2 ? "PROT_" : "MAP_");
        }
        if (name == "pkey_mprotect" && index == 3 && text == "-1") {
            return std::numeric_limits<std::uint64_t>::max();
        }
        return parse_number(text);
    }

    static std::optional<call_arguments> parse_arguments(std::string const& name,
                                                         std::string_view text) {
        auto const [least, most] = arguments_of(name);
        auto const parts = text.empty() ? std::vector<std::string_view>{} : split(text, ", ");
        if (parts.size() < least || parts.size() > most) {
            return std::nullopt;
        }
        call_arguments arguments;
        for (std::size_t index = 0; index < parts.size(); ++index) {
            auto const value = parse_argument(name, index, parts[index]);
            if (!value) {
                return std::nullopt;
            }
            arguments.value[index] = *value;
        }
        return arguments;
    }

    /// mmap apart: its descriptor carries a path, which may hold anything, separators included.
    std::optional<call_arguments> parse_mmap(record& entry, std::string_view text) {
        call_arguments arguments;
        for (std::size_t index = 0; index < 4; ++index) {
            std::size_t const comma = text.find(", ");
            if (comma == std::string_view::npos) {
                return std::nullopt;
            }
            auto const value = parse_argument("mmap", index, text.substr(0, comma));
            if (!value) {
                return std::nullopt;
            }
            arguments.value[index] = *value;
            text.remove_prefix(comma + 2);
        }
        std::size_t const comma = text.rfind(", ");
        if (comma == std::string_view::npos) {
            return std::nullopt;
        }
        auto const offset = parse_number(text.substr(comma + 2));
        std::string_view const descriptor = text.substr(0, comma);
        std::size_t const open = descriptor.find('<');
        auto const fd = parse_integer<std::int32_t>(descriptor.substr(0, open));
        if (!offset || !fd) {
            return std::nullopt;
        }
        if (open != std::string_view::npos) {
            std::size_t const close = descriptor.rfind('>');
            if (close == std::string_view::npos || close < open) {
                return std::nullopt;
            }
            std::string path = unescape(descriptor.substr(open + 1, close - open - 1));
            path += descriptor.substr(close + 1) == "(deleted)" ? " (deleted)" : "";
            entry.path = names_.intern(path);
        }
        arguments.value[5] = *offset;
        arguments.fd = *fd;
        entry.fd = *fd;
        return arguments;
    }

    /// mbind apart: its node mask is a list. Puts the number of the policy into `entry.op.flags`;
    /// policies are told apart by mode and mask.
    std::optional<call_arguments> parse_mbind(record& entry, std::string_view text) {
        call_arguments arguments;
        auto const start = parse_number(cut(text, ','));
        text = trim(text);
        auto const length = parse_number(cut(text, ','));
        text = trim(text);
        std::string_view const mode = cut(text, ',');
        text = trim(text);
        std::size_t const mask_end = text.starts_with('[') ? text.find("], ") : text.find(", ");
        if (!start || !length || mode.empty() || mask_end == std::string_view::npos) {
            return std::nullopt;
        }
        std::string_view const mask = text.substr(0, mask_end + (text.starts_with('[') ? 1U : 0U));
        auto const rest = split(text.substr(mask.size()), ", ");  // "", maxnode, flags
        auto const flags = rest.size() == 3 ? parse_symbols(rest[2], "MPOL_MF_") : std::nullopt;
        if (!flags) {
            return std::nullopt;
        }
        entry.op.flags = policy_number(builder_, mode, mask);
        arguments.value = {*start, *length, 0, 0, 0, *flags};
        return arguments;
    }

    static std::uint32_t policy_number(program_builder& builder, std::string_view mode,
                                       std::string_view mask) {
        if (mode == "MPOL_DEFAULT") {
            return 0;
        }
        bool const shown = mask == "NULL" || (mask.starts_with('[') && mask.ends_with(']') &&
                                              mask.find("...") == std::string_view::npos);
        std::size_t const last = mask.find_last_of("123456789abcdef");
        bool const empty = mask == "NULL" || last == std::string_view::npos;
        if (mode == "MPOL_LOCAL" || (mode == "MPOL_PREFERRED" && shown && empty)) {
            return builder.program().paths.intern("MPOL_LOCAL");
        }
        // Zero words at the end name no node.
        return shown ? builder.program().paths.intern(std::string{mode} + ' ' +
                                                      std::string{mask.substr(0, last)})
                     : unknown_policy;
    }

    void interpret_creation(record& entry, std::string const& name, std::string_view arguments) {
        entry.kind = record_kind::creation;
        if (name == "vfork" || name == "fork") {
            entry.shares_memory = name == "vfork";
            return;
        }
        std::size_t const flags = arguments.find("flags=");
        if (flags == std::string_view::npos) {
            builder_.unknown(
                reader_, "the arguments " + quoted(arguments) + " of " + name + " hold no flags=");
            return;
        }
        std::string_view const text = arguments.substr(flags + 6);
        for (std::string_view const flag : split(text.substr(0, text.find_first_of(",}) ")), "|")) {
            entry.shares_memory = entry.shares_memory || flag == "CLONE_VM";
            entry.same_process = entry.same_process || flag == "CLONE_THREAD";
        }
    }

    program_builder& builder_;
    line_reader reader_;
    string_table names_;
    std::vector<record> records_;
    std::unordered_map<std::uint32_t, open_call> open_calls_;
};

/// order.tsv: for each thread and call, the lock times in the order of that thread's calls.
class lock_times {
public:
    lock_times(program_builder& builder, string_table& names) {
        auto const file = find_file(builder.program().directory, "order.tsv");
        if (!file) {
            return;
        }
        line_reader reader{*file, builder.options().max_file_bytes};
        std::string_view line;
        while (reader.next(line)) {
            if (line.starts_with('#')) {
                continue;
            }
            auto const fields = split(line, "\t");
            auto const time = parse_decimal(fields[0], 3);
            auto const tid = fields.size() == 3 ? parse_integer<std::uint32_t>(fields[1])
                                                : std::optional<std::uint32_t>{};
            if (!time || !tid || classify(fields[2]) == call_class::unknown) {
                builder.unknown(reader, quoted(line) + " is not a line 'dt_us tid call'");
                continue;
            }
            auto& [times, used] = queues_[{*tid, names.intern(fields[2])}];
            if (!times.empty() && times.back() > *time) {
                reader.fail("the lock times of thread " + std::to_string(*tid) + " go backwards");
            }
            times.push_back(*time);
        }
    }

    /// The next lock time of this thread and call; no_time when there is none left.
    std::int64_t next(std::uint32_t tid, std::uint32_t name) {
        auto const found = queues_.find({tid, name});
        if (found == queues_.end() || found->second.used == found->second.times.size()) {
            return no_time;
        }
        return found->second.times[found->second.used++];
    }

private:
    struct queue {
        std::vector<std::int64_t> times;
        std::size_t used = 0;
    };
    std::map<std::pair<std::uint32_t, std::uint32_t>, queue> queues_;
};

/// mmap2.tsv: what each thread mapped, in time order.
class mapped_files {
public:
    struct row {
        std::int64_t time_ns = 0;
        std::uint64_t start = 0;
        std::uint64_t length = 0;
        std::uint32_t name = 0;  ///< into names()
        std::uint32_t line = 0;
    };

    explicit mapped_files(program_builder& builder) {
        auto const file = find_file(builder.program().directory, "mmap2.tsv");
        if (!file) {
            return;
        }
        line_reader reader{*file, builder.options().max_file_bytes};
        std::string_view line;
        std::int64_t shift_ns = 0;
        while (reader.next(line)) {
            if (line.starts_with('#')) {
                if (auto const base = program_builder::base_in(line)) {
                    shift_ns = *base - builder.base_ns();
                }
            } else if (!add(line, shift_ns, builder, reader)) {
                builder.unknown(reader, quoted(line) +
                                            " is not a line 't_us tid start length "
                                            "offset dev inode perms path'");
            }
        }
        for (auto& [tid, rows] : rows_) {
            (void)tid;
            std::ranges::stable_sort(rows, {}, &row::time_ns);
        }
    }

    /// The row of a mapping [start, start + length) made by this thread between two times.
    [[nodiscard]] backing_name const* find(std::uint32_t tid, std::uint64_t start,
                                           std::uint64_t length, std::int64_t from_ns,
                                           std::int64_t to_ns) const {
        auto const found = rows_.find(tid);
        if (found == rows_.end()) {
            return nullptr;
        }
        auto at = std::ranges::lower_bound(found->second, from_ns, {}, &row::time_ns);
        for (; at != found->second.end() && at->time_ns <= to_ns; ++at) {
            if (at->start <= start && start + length <= at->start + at->length) {
                return &names_[at->name];
            }
        }
        return nullptr;
    }

    [[nodiscard]] std::unordered_map<std::uint32_t, std::vector<row>> const& rows() const {
        return rows_;
    }
    [[nodiscard]] std::string const& path_of(row const& entry) const {
        return names_[entry.name].path;
    }

private:
    bool add(std::string_view line, std::int64_t shift_ns, program_builder& builder,
             line_reader const& reader) {
        auto const fields = split(line, "\t");
        if (fields.size() != 9) {
            return false;
        }
        auto const time = parse_decimal(fields[0], 3);
        auto const tid = parse_integer<std::uint32_t>(fields[1]);
        auto const start = parse_integer<std::uint64_t>(fields[2], 16);
        auto const length = parse_integer<std::uint64_t>(fields[3], 16);
        auto name = parse_backing(fields[5], fields[6], fields[8]);
        if (!time || !tid || !start || !length || !name || *start > address_space::address_limit ||
            *length > address_space::address_limit) {
            return false;
        }
        if (++count_ > builder.options().max_items) {
            reader.fail("the recording holds more than " +
                        std::to_string(builder.options().max_items) + " mappings");
        }
        auto const key =
            std::tuple{name->device_major, name->device_minor, name->inode, name->path};
        auto const [at, added] =
            numbers_.try_emplace(key, static_cast<std::uint32_t>(names_.size()));
        if (added) {
            names_.push_back(std::move(*name));
        }
        rows_[*tid].push_back({*time + shift_ns, *start, *length, at->second,
                               static_cast<std::uint32_t>(reader.line_number())});
        return true;
    }

    std::unordered_map<std::uint32_t, std::vector<row>> rows_;
    std::vector<backing_name> names_;
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, std::string>, std::uint32_t>
        numbers_;
    std::size_t count_ = 0;
};

/// The second pass.
class record_player {
public:
    record_player(program_builder& builder, strace_reader& strace)
        : builder_{builder}, strace_{strace}, locks_{builder, strace.names()}, mapped_{builder} {}

    void play() {
        std::vector<record>& records = strace_.records();
        std::size_t const first = first_record();
        recorded_thread root;
        root.tid = builder_.program().root_tgid;
        builder_.add_thread(root);
        members_[root.tid] = true;
        for (std::size_t number = first; number < records.size(); ++number) {
            play(records[number]);
        }
        add_stack_growth();
    }

private:
    /// The first one after the initial snapshot and after the root's execve before it.
    [[nodiscard]] std::size_t first_record() const {
        std::vector<record> const& records = strace_.records();
        std::uint32_t const root = builder_.program().root_tgid;
        std::int64_t const snapshot_ns = builder_.base_ns();
        std::size_t first = 0;
        bool seen = false;
        for (std::size_t number = 0; number < records.size(); ++number) {
            record const& entry = records[number];
            seen = seen || entry.tid == root;
            if (entry.enter_ns <= snapshot_ns && entry.tid == root) {
                first = number + 1;
            }
        }
        if (!seen) {
            throw trace_error{
                strace_.reader().file(), 0,
                "holds no call of process " + std::to_string(root) + ", which initial.maps is of"};
        }
        return first;
    }

    [[nodiscard]] bool is_member(std::uint32_t tid) const {
        auto const found = members_.find(tid);
        return found != members_.end() && found->second;
    }

    void play(record& entry) {
        if (entry.enter_ns < builder_.base_ns() || !is_member(entry.tid)) {
            return;
        }
        std::int64_t const lock_ns = classify(strace_.names()[entry.name]) == call_class::exits
                                         ? no_time
                                         : locks_.next(entry.tid, entry.name);
        switch (entry.kind) {
            case record_kind::operation: play_operation(entry, lock_ns); break;
            case record_kind::creation: play_creation(entry); break;
            case record_kind::replacement: play_replacement(entry); break;
            case record_kind::exit: end_thread(entry.tid, entry.enter_ns); break;
            case record_kind::other:
                ++(entry.finished ? builder_.program().notes.other_calls
                                  : builder_.program().notes.unfinished_calls);
                break;
        }
    }

    [[nodiscard]] std::int64_t since_base(std::int64_t clock_ns) const {
        return clock_ns - builder_.base_ns();
    }

    void play_operation(record& entry, std::int64_t lock_ns) {
        load_notes& notes = builder_.program().notes;
        if (!entry.finished) {
            ++notes.unfinished_calls;
            return;
        }
        item added;
        added.thread = *builder_.thread_of(entry.tid);
        added.line = entry.line;
        added.op = entry.op;
        if (lock_ns == no_time) {
            // Return order is right more often than entry order: the lock lies closer to it.
            ++notes.calls_without_order;
            added.time_ns = since_base(entry.exit_ns);
            added.work_ns = held_for(entry.enter_ns, entry.exit_ns);
        } else {
            check_lock_time(entry, lock_ns);
            added.time_ns = lock_ns;
            added.work_ns = held_for(lock_ns, since_base(entry.exit_ns));
        }
        std::int64_t& last = last_ns_[entry.tid];
        added.time_ns = std::max(added.time_ns, last);
        last = added.time_ns;
        if (entry.op.what == call::map && entry.op.result >= 0) {
            added.op.file = backing_of(entry, added.time_ns, lock_ns != no_time);
        }
        builder_.add_item(added, strace_.reader());
    }

    // A lock time far outside its call means that order.tsv belongs to another run.
    void check_lock_time(record const& entry, std::int64_t lock_ns) const {
        constexpr std::int64_t tolerance_ns = 50'000'000;
        if (lock_ns < since_base(entry.enter_ns) - tolerance_ns ||
            lock_ns > since_base(entry.exit_ns) + tolerance_ns) {
            throw trace_error{strace_.reader().file(), entry.line,
                              "order.tsv says that this call took the lock " +
                                  std::to_string(lock_ns / 1000) +
                                  " us after the initial snapshot, more than 50 ms outside the "
                                  "call; it is not of this recording"};
        }
    }

    [[nodiscard]] address_space::backing backing_of(record const& entry, std::int64_t time_ns,
                                                    bool locked) {
        bool const anonymous = (entry.op.flags & map_anonymous) != 0;
        bool const shared = (entry.op.flags & map_type_mask & map_shared) != 0;
        if (anonymous && !shared) {
            return {};
        }
        auto const start = static_cast<std::uint64_t>(entry.op.result);
        std::uint64_t const pages =
            entry.op.length / page_size + (entry.op.length % page_size != 0 ? 1 : 0);
        std::int64_t const latest_ns = std::max(time_ns, since_base(entry.exit_ns)) + late_ns;
        if (backing_name const* const name = mapped_.find(
                entry.tid, start, pages * page_size,
                locked ? time_ns - rounding_ns : since_base(entry.enter_ns), latest_ns)) {
            return builder_.file_backing(*name, anonymous ? -1 : entry.fd);
        }
        return anonymous ? builder_.guessed_shared_memory(start)
                         : builder_.guessed_backing(strace_.names()[entry.path], entry.fd);
    }

    void play_creation(record const& entry) {
        if (!entry.finished || entry.result <= 0) {
            return;
        }
        auto const child = static_cast<std::uint32_t>(entry.result);
        members_[child] = entry.shares_memory;
        if (!entry.shares_memory) {
            return;
        }
        recorded_thread thread;
        thread.tid = child;
        thread.creator = entry.tid;
        thread.start_ns = since_base(entry.enter_ns);
        thread.other_process = !entry.same_process;
        builder_.add_thread(thread);
        last_ns_.erase(child);
    }

    void play_replacement(record const& entry) {
        if (!entry.finished || entry.result != 0) {
            return;
        }
        std::uint32_t const index = *builder_.thread_of(entry.tid);
        if (!builder_.thread(index).other_process) {
            throw trace_error{strace_.reader().file(), entry.line,
                              "the process replaces its address space by execve after the initial "
                              "snapshot; a recording must hold one address space"};
        }
        end_thread(entry.tid, entry.exit_ns);
    }

    void end_thread(std::uint32_t tid, std::int64_t clock_ns) {
        recorded_thread& thread = builder_.thread(*builder_.thread_of(tid));
        thread.end_ns = std::min(thread.end_ns, since_base(clock_ns));
        // The end comes twice, as exit and as +++; only after the second may the tid be reused.
        if (thread.other_process) {
            members_[tid] = false;
        }
    }

    // strace sees no stack growth; the faults do. Without them the rows of mmap2.tsv show it.
    void add_stack_growth() {
        if (builder_.options().with_faults &&
            find_file(builder_.program().directory, "faults.txt")) {
            return;
        }
        for (auto const& [tid, rows] : mapped_.rows()) {
            auto const thread = builder_.thread_of(tid);
            for (mapped_files::row const& row : rows) {
                if (!thread || row.time_ns < 0 || mapped_.path_of(row) != "[stack]") {
                    continue;
                }
                item growth;
                growth.time_ns = row.time_ns;
                growth.thread = *thread;
                growth.line = row.line;
                growth.source = source_file::mappings;
                growth.op.what = call::grow_stack;
                growth.op.start = row.start;
                growth.op.length = row.length;
                builder_.add_item(growth, strace_.reader());
            }
        }
    }

    program_builder& builder_;
    strace_reader& strace_;
    lock_times locks_;
    mapped_files mapped_;
    std::unordered_map<std::uint32_t, bool> members_;
    std::unordered_map<std::uint32_t, std::int64_t> last_ns_;
};

}  // namespace

void read_strace_form(program_builder& builder, fs::path const& calls) {
    snapshot_header const& header = builder.initial_header();
    if (header.tgid == 0 || !header.has_time || !header.real_clock) {
        throw trace_error{builder.program().directory / "initial.maps", 1,
                          "its header must say 't_real=SECONDS' and 'tgid=PID', so that the calls "
                          "of this process after the snapshot can be found in the trace"};
    }
    strace_reader strace{builder, calls};
    strace.read_lines();
    record_player{builder, strace}.play();
}

}  // namespace manylock::replay
