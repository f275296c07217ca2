// Reads the native form: events.tsv, one row a call, with the time at which it took the mmap_lock and
// the mapping that it left behind. The recorder kept only rows of this address space: the root's
// threads, and vfork or CLONE_VM children until their successful execve.

#include "reading.hpp"
#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>
#include <unordered_set>

namespace manylock::replay {
namespace {

namespace fs = std::filesystem;
using address_space::call;

constexpr std::string_view growth_name = "GROW";

struct event_row {
    std::int64_t order_ns = 0;
    std::int64_t exit_ns = 0;
    std::uint32_t held_ns = 0;
    std::uint32_t tgid = 0;
    std::uint32_t tid = 0;
    std::string_view call;
    std::int64_t result = 0;
    std::size_t argument_count = 0;
    call_arguments arguments;
    std::string_view file;
};

std::optional<std::int64_t> parse_result(std::string_view text) {
    if (text.starts_with('-')) {
        auto const error = parse_integer<std::int64_t>(text);
        return error && *error >= -4095 ? error : std::nullopt;
    }
    auto const value = parse_number(text);
    if (!value || *value > address_space::address_limit) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(*value);
}

bool parse_arguments(event_row& row, std::string_view text) {
    if (text.empty()) {
        return true;
    }
    for (std::string_view const part : split(text, ",")) {
        auto const value = parse_integer<std::uint64_t>(part, 16);
        if (!value || row.argument_count == row.arguments.value.size()) {
            return false;
        }
        row.arguments.value[row.argument_count++] = *value;
    }
    row.arguments.fd =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(row.arguments.value[4]));
    return true;
}

class native_reader {
public:
    native_reader(program_builder& builder, fs::path const& calls)
        : builder_{builder}, reader_{calls, builder.options().max_file_bytes} {}

    void read() {
        std::string_view line;
        while (reader_.next(line)) {
            if (line.starts_with('#')) {
                if (auto const base = program_builder::base_in(line)) {
                    builder_.set_base_ns(*base);
                }
                continue;
            }
            if (auto const row = parse_row(line)) {
                play(*row);
            }
        }
        if (builder_.program().threads.empty()) {
            throw trace_error{reader_.file(), 0,
                              "holds no call of the process that initial.maps "
                              "is of"};
        }
    }

private:
    std::optional<event_row> parse_row(std::string_view line) {
        constexpr std::size_t columns = 11;
        auto const fields = split(line, "\t");
        if (fields.size() != columns) {
            builder_.unknown(reader_, quoted(line) + " has " + std::to_string(fields.size()) +
                                          " tab-separated fields instead of 11");
            return std::nullopt;
        }
        event_row row;
        auto const order = parse_decimal(fields[0], 0);
        auto const exit = fields[4] == "-" ? order : parse_decimal(fields[4], 0);
        auto const tgid = parse_integer<std::uint32_t>(fields[5]);
        auto const tid = parse_integer<std::uint32_t>(fields[6]);
        if (!order || !exit || !tgid || !tid) {
            builder_.unknown(reader_, quoted(line) + " does not begin with five times, tgid, tid");
            return std::nullopt;
        }
        row.order_ns = *order;
        row.exit_ns = *exit;
        // A munmap that downgrades its lock has no time of release: the row's end stands for it.
        if (auto const acquired = parse_decimal(fields[2], 0)) {
            row.held_ns = held_for(*acquired, parse_decimal(fields[3], 0).value_or(*exit));
        }
        row.tgid = *tgid;
        row.tid = *tid;
        row.call = fields[7];
        row.file = fields[10];
        if (row.call != growth_name && classify(row.call) == call_class::unknown) {
            builder_.unknown(reader_, "the call " + quoted(row.call) +
                                          " is none that a recording of memory calls may hold");
            return std::nullopt;
        }
        if (fields[8].empty() || fields[8] == "?") {
            ++builder_.program().notes.unfinished_calls;
            return std::nullopt;
        }
        auto const result = parse_result(fields[8]);
        if (!result || !parse_arguments(row, fields[9])) {
            builder_.unknown(reader_, "result " + quoted(fields[8]) + " or arguments " +
                                          quoted(fields[9]) + " are no numbers");
            return std::nullopt;
        }
        row.result = *result;
        return row;
    }

    void play(event_row const& row) {
        std::uint32_t& root = builder_.program().root_tgid;
        if (root == 0) {
            root = row.tgid;
        }
        if (row.order_ns < 0 || left_.contains(row.tgid)) {
            return;
        }
        if (builder_.program().threads.empty()) {
            recorded_thread first;
            first.tid = root;
            builder_.add_thread(first);
        }
        if (row.call == growth_name) {
            play_growth(row);
            return;
        }
        switch (classify(row.call)) {
            case call_class::changes: play_change(row); break;
            case call_class::creates: play_creation(row); break;
            case call_class::replaces: play_replacement(row); break;
            case call_class::exits: builder_.thread(thread_of(row)).end_ns = row.order_ns; break;
            default: play_other(row); break;
        }
    }

    /// The row's thread; one whose creation was not recorded begins here.
    std::uint32_t thread_of(event_row const& row) {
        if (auto const known = builder_.thread_of(row.tid)) {
            return *known;
        }
        recorded_thread thread;
        thread.tid = row.tid;
        thread.start_ns = row.order_ns;
        thread.other_process = row.tgid != builder_.program().root_tgid;
        return builder_.add_thread(thread);
    }

    item new_item(event_row const& row) {
        item entry;
        entry.thread = thread_of(row);
        entry.line = static_cast<std::uint32_t>(reader_.line_number());
        // One thread's calls follow each other whatever the rounding of the clocks.
        std::int64_t& last = last_ns_[entry.thread];
        last = std::max(last, row.order_ns);
        entry.time_ns = last;
        return entry;
    }

    void play_growth(event_row const& row) {
        item entry = new_item(row);
        entry.op.what = call::grow_stack;
        entry.op.start = row.arguments.value[0];
        entry.op.length = row.arguments.value[1];
        builder_.add_item(entry, reader_);
    }

    void play_change(event_row const& row) {
        auto const op = make_operation(row.call, row.arguments, row.result);
        if (!op || row.argument_count < arguments_of(row.call).least) {
            builder_.unknown(reader_, "the arguments are not those of " + std::string{row.call});
            return;
        }
        constexpr std::uint64_t no_key = 0xffffffff;
        std::uint64_t const key = row.arguments.value[3];
        if (row.call == "pkey_mprotect" && row.result == 0 && key != 0 &&
            (key & no_key) != no_key) {
            refuse_unmodelled(row);
            return;
        }
        auto const policy = policy_number(row);
        if (!policy) {
            builder_.unknown(reader_,
                             "an mbind succeeded, and this form of recording does not say "
                             "which nodes it names");
            return;
        }
        item entry = new_item(row);
        entry.op = *op;
        entry.work_ns = row.held_ns;
        if (op->what == call::set_policy) {
            entry.op.flags = *policy;
        }
        if (op->what == call::map && op->result >= 0) {
            entry.op.file = backing_of(row, *op);
        }
        builder_.add_item(entry, reader_);
    }

    /// Of an mbind, as far as its mode alone tells it; 0 for other calls.
    std::optional<std::uint32_t> policy_number(event_row const& row) {
        enum : std::uint64_t { policy_default = 0, policy_preferred = 1, policy_local = 4 };
        std::uint64_t const mode = row.arguments.value[2];
        std::uint64_t const mask = row.arguments.value[3];
        if (row.call != "mbind" || mode == policy_default) {
            return 0;
        }
        if (mode == policy_local || (mode == policy_preferred && mask == 0)) {
            return builder_.program().paths.intern("MPOL_LOCAL");
        }
        bool const half = row.result == -EIO && (row.arguments.value[5] & mbind_moves) != 0;
        return row.result == 0 || half ? std::nullopt : std::optional{unknown_policy};
    }

    address_space::backing backing_of(event_row const& row, address_space::operation const& op) {
        bool const anonymous = (op.flags & map_anonymous) != 0;
        bool const shared = (op.flags & map_type_mask & map_shared) != 0;
        if (anonymous && !shared) {
            return {};
        }
        if (row.file.empty()) {
            std::string const path = "file of descriptor " + std::to_string(row.arguments.fd);
            return anonymous ? builder_.guessed_shared_memory(static_cast<std::uint64_t>(op.result))
                             : builder_.guessed_backing(path, row.arguments.fd);
        }
        std::string_view rest = row.file;
        std::string_view const device = cut(rest, '|');
        std::string_view const inode = cut(rest, '|');
        for (int skipped = 0; skipped < 4; ++skipped) {  // pgoff, start, length, perms
            cut(rest, '|');
        }
        auto const name = parse_backing(device, inode, rest);
        if (!name) {
            builder_.unknown(reader_, quoted(row.file) +
                                          " is not a mapping "
                                          "'dev|inode|offset|start|length|perms|path'");
            return {};
        }
        return builder_.file_backing(*name, anonymous ? -1 : row.arguments.fd);
    }

    // clone3 keeps its flags in memory that no recording shows; a child that does not share the
    // address space has no rows here and does no harm.
    void play_creation(event_row const& row) {
        if (row.result <= 0) {
            return;
        }
        bool const shares = row.call == "clone3" || row.call == "vfork" ||
                            (row.call == "clone" && (row.arguments.value[0] & clone_vm) != 0);
        auto const child = static_cast<std::uint32_t>(row.result);
        if (!shares) {
            left_.insert(child);
            return;
        }
        left_.erase(child);
        recorded_thread thread;
        thread.tid = child;
        thread.creator = row.tid;
        thread.start_ns = row.order_ns;
        thread.other_process =
            row.call == "vfork" ||
            (row.call == "clone" && (row.arguments.value[0] & clone_thread) == 0);
        std::uint32_t const added = builder_.add_thread(thread);
        if (row.call == "vfork") {
            // The parent sleeps until the child has its own address space.
            builder_.thread(added).end_ns = row.exit_ns;
        }
    }

    void play_replacement(event_row const& row) {
        if (row.result != 0) {
            return;
        }
        if (row.tgid == builder_.program().root_tgid) {
            reader_.fail(
                "the process replaces its address space by execve after the initial "
                "snapshot; a recording must hold one address space");
        }
        builder_.thread(thread_of(row)).end_ns = row.exit_ns;
        left_.insert(row.tgid);
    }

    void play_other(event_row const& row) {
        auto const& [option, suboption, start, length, name, unused] = row.arguments.value;
        (void)unused;
        bool const walks = row.call == "prctl" && names_vmas(row.result);
        if (walks && option == pr_set_vma && suboption == pr_set_vma_anon_name && name == 0) {
            item entry = new_item(row);
            entry.op.what = call::set_name;
            entry.op.start = start;
            entry.op.length = length;
            entry.op.result = row.result;
            builder_.add_item(entry, reader_);
            return;
        }
        if ((walks && (option == pr_set_vma || option == pr_set_mm)) ||
            (classify(row.call) == call_class::unmodelled && row.result >= 0)) {
            refuse_unmodelled(row);
            return;
        }
        ++builder_.program().notes.other_calls;
    }

    void refuse_unmodelled(event_row const& row) {
        builder_.unknown(reader_, "the call " + std::string{row.call} +
                                      " succeeded, and its effect on the VMAs is not modelled");
    }

    program_builder& builder_;
    line_reader reader_;
    std::unordered_set<std::uint32_t> left_;  ///< tgids with an address space of their own
    std::unordered_map<std::uint32_t, std::int64_t> last_ns_;
};

}  // namespace

void read_native_form(program_builder& builder, fs::path const& calls) {
    native_reader{builder, calls}.read();
}

}  // namespace manylock::replay
