// Which recorded items must wait for which when several threads replay them: a serial pass over the
// address space notes what each item read and wrote, and replay/order.hpp makes edges of it.
#pragma once

#include "../replay/order.hpp"
#include "../replay/trace.hpp"

namespace manylock::stress {

/// Two planes. On the plane of pages an item writes each page whose mapping, flags, anon_vma or
/// backing it changed. On the plane of VMAs it writes every VMA that it changed, in full, before
/// and after: its bounds and its anon_vma decide later merges at its far end. An update reads both
/// planes where it looked and a page on either side; a page fault that changes nothing reads its
/// page alone, so that it need not wait for a merge or split somewhere else in its VMA.
replay::footprint_list record_footprints(replay::recorded_program const& program);

/// `checkpoints`: everything before a checkpoint is done before anything after it begins.
replay::execution_order order_of(replay::recorded_program const& program,
                                 replay::footprint_list const& footprints, bool checkpoints);

}  // namespace manylock::stress
