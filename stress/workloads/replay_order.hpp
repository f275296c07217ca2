// Which recorded items must wait for which when several threads replay them: a serial pass over the
// address space notes what each item read and wrote, and replay/order.hpp makes edges of it.
#pragma once

#include "../replay/order.hpp"
#include "../replay/trace.hpp"

namespace manylock::stress {

/// Two planes. On the plane of pages an item writes each page whose mapping, flags, anon_vma or
/// backing it changed; on the plane of borders, each page at which a VMA begins now and did not
/// before, or the other way round. An update reads both planes where it looked and a page on either
/// side of what it changed: a merge asks the neighbours, and an anon_vma goes to a whole VMA, whose
/// bounds are the ends of what changed. A page fault that changes nothing reads its page alone, so
/// that it need not wait for a merge or split elsewhere in its VMA; only where a huge page is in
/// question it reads that one's range. The break and the default flags are globals. The number of
/// VMAs is one from half of the limit on: below it no plan asks.
replay::footprint_list record_footprints(replay::recorded_program const& program);

/// `checkpoints`: everything before a checkpoint is done before anything after it begins.
replay::execution_order order_of(replay::recorded_program const& program,
                                 replay::footprint_list const& footprints, bool checkpoints);

}  // namespace manylock::stress
