#include <manylock/domain.hpp>
#include <manylock/policies.hpp>

#include <cstdio>
#include <thread>

using bank = manylock::domain<manylock::default_policy>;
struct account { bank::lock_type lock; long balance = 1'000; };

int main() {
    bank accounts;
    account a, b;
    auto const transfer = [&](account& from, account& to) {
        for (int i = 0; i < 10'000; ++i)
            accounts.run([&](auto& txn) {  // runs the body again when told to restart
                txn.lock(from.lock);       // any order, found as you go
                txn.lock(to.lock);
                --from.balance, ++to.balance;
            });                            // everything is released here
    };
    std::thread other{[&] { transfer(b, a); }};
    transfer(a, b);
    other.join();
    std::printf("%ld + %ld\n", a.balance, b.balance);
    return a.balance + b.balance == 2'000 ? 0 : 1;
}
