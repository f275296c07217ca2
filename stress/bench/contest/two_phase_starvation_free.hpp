// A contestant with the conflict rule of 2PLSF (Ramalhete, Correia, Felber: "2PLSF: Two-Phase Locking with Starvation-
// Freedom", PPoPP 2023): a transaction draws its age at its first conflict and publishes it; it waits where everybody in
// its way is younger or has no age yet, and dies where somebody is older; whoever waits leaves a mark at the lock, so
// that younger ones do not overtake him; who died waits, holding nothing, until the one that killed him is past his
// own conflict. Waiting is a spin that yields now and then, without which it stands still on few cores.
// The lock is one word (their table of distributed reader bits costs more here): a bit for every thread that reads or
// waits, and the writer.
#pragma once

#include "contest.hpp"
#include "table.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <thread>

#include <manylock/platform/native.hpp>

namespace manylock::bench {

class two_phase_starvation_free : public on_table<std::atomic<std::uint64_t>> {
    using word = std::uint64_t;
    static constexpr unsigned threads_max = 56;
    static constexpr unsigned writer_shift = 56;  ///< above the bits: number of the writer plus one
    static constexpr word bits = (word{1} << writer_shift) - 1;

public:
    using on_table<std::atomic<word>>::on_table;

    class session {
    public:
        session(two_phase_starvation_free& of, unsigned thread) noexcept
            : of_{of},
              mine_{of.age_[thread].value},
              bit_{word{1} << thread},
              writer_{word{thread + 1} << writer_shift} {}

        template <class Work>
        std::uint64_t transact(std::span<request const> wanted, Work hold) {
            age_ = 0;
            for (std::uint64_t restarts = 0;; ++restarts) {
                if (attempt(wanted, hold)) return restarts;
                wait_for_killer();
            }
        }

    private:
        using atomic_word = std::atomic<word>;

        template <class Work>
        bool attempt(std::span<request const> wanted, Work hold) {
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                if (!acquire(of_.all_[wanted[i]].lock, wanted[i].shared)) {
                    release(wanted.first(i));
                    return false;
                }
                hold();
            }
            update(of_.all_, wanted);
            release(wanted);
            return true;
        }
        bool acquire(atomic_word& lock, bool shared) noexcept {
            word free = 0;
            // acquire; pairs with release(); so are the other exchanges below
            if (!shared && lock.compare_exchange_strong(free, writer_, std::memory_order_acquire))
                return true;
            auto w = lock.fetch_or(bit_, std::memory_order_acquire) | bit_;
            if (shared && (w & ~bits) == 0) return true;
            return wait(lock, shared, w);
        }
        /// Our bit is set: as a reader's, or as the mark of one who waits.
        bool wait(atomic_word& lock, bool shared, word w) noexcept {
            for (unsigned looks = 1;; ++looks) {
                auto const others = w & bits & ~bit_;
                if ((w & ~bits) == 0) {
                    if (shared) return leave(true);
                    if (others == 0 &&
                        lock.compare_exchange_strong(w, writer_, std::memory_order_acquire)) {
                        return leave(true);
                    }
                }
                if (announced() && somebody_older(w, others)) {
                    lock.fetch_and(~bit_, std::memory_order_release);
                    return leave(false);
                }
                if (looks % 64 == 0) {
                    std::this_thread::yield();
                } else {
                    platform::native::pause();
                }
                w = lock.load(std::memory_order_acquire);
            }
        }
        /// Publishes our age, drawing it the first time. Always true.
        bool announced() noexcept {
            if (age_ == 0)
                age_ =
                    of_.clock_.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: only unique
            // seq_cst, as the loads of others' ages: of two who announce at once, one sees the other
            if (mine_.load(std::memory_order_relaxed) != age_)
                mine_.store(age_, std::memory_order_seq_cst);
            return true;
        }
        bool leave(bool granted) noexcept {
            mine_.store(0,
                        std::memory_order_release);  // past the conflict: who died for it may go on
            return granted;
        }
        bool somebody_older(word w, word others) noexcept {
            if (auto const writer = w >> writer_shift; writer != 0) {
                if (older(static_cast<unsigned>(writer - 1))) return true;
            }
            for (; others != 0; others &= others - 1) {
                if (older(static_cast<unsigned>(std::countr_zero(others)))) return true;
            }
            return false;
        }
        bool older(unsigned thread) noexcept {
            auto const theirs = of_.age_[thread].value.load(std::memory_order_seq_cst);
            if (theirs == 0 || theirs >= age_) return false;
            killer_ = thread;
            killers_age_ = theirs;
            return true;
        }
        void wait_for_killer() noexcept {
            for (unsigned looks = 1;
                 of_.age_[killer_].value.load(std::memory_order_acquire) == killers_age_; ++looks) {
                if (looks % 64 == 0) {
                    std::this_thread::yield();
                } else {
                    platform::native::pause();
                }
            }
        }
        void release(std::span<request const> held) noexcept {
            for (auto const& r : held) {
                auto& lock = of_.all_[r].lock;
                // release; the next one sees what we wrote. Others' marks stay.
                lock.fetch_and(r.shared ? ~bit_ : bits, std::memory_order_release);
            }
        }

        two_phase_starvation_free& of_;
        atomic_word& mine_;
        word bit_;
        word writer_;
        std::uint64_t age_ = 0;
        unsigned killer_ = 0;
        std::uint64_t killers_age_ = 0;
    };

private:
    friend class session;
    struct alignas(64) published {
        std::atomic<std::uint64_t> value{0};  ///< 0: none, or not in a conflict
    };
    std::array<published, threads_max> age_{};
    alignas(64) std::atomic<std::uint64_t> clock_{0};
};

}  // namespace manylock::bench
