// Which recorded items must wait for which when several threads replay them: a serial pass over the
// address space notes what each item read and wrote, and replay/order.hpp makes edges of it.
#pragma once

#include "../replay/order.hpp"
#include "../replay/trace.hpp"

namespace manylock::stress {

/// An item writes every VMA that it changes, in full, before and after; it reads the pages that it asks
/// for and the page on either side. So two items that could influence each other are ordered, down to
/// an anon_vma that decides a later merge at a VMA's far end.
replay::footprint_list record_footprints(replay::recorded_program const& program);

/// `checkpoints`: everything before a checkpoint is done before anything after it begins.
replay::execution_order order_of(replay::recorded_program const& program,
                                 replay::footprint_list const& footprints, bool checkpoints);

}  // namespace manylock::stress
