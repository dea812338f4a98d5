#include "connection.h"

#include <random>
#include <set>
#include <vector>

#include "check.h"

namespace edgeproxy::test {

TEST(KeepsItsPlace, "a connection never moves, however many more are taken") {
  ConnectionSlab slab;
  Connection& first = slab.Take();
  const uint32_t generation = first.generation;
  for (int i = 0; i < 5000; i++) slab.Take();
  CHECK(&slab[first.index] == &first);
  CHECK_EQ(first.generation, generation);
  CHECK_EQ(slab.in_use(), 5001);
  CHECK_OP(slab.size(), >=, 5001);
}

TEST(StaysCompact, "connections that come and go one at a time use one place, each with a generation of its own") {
  ConnectionSlab slab;
  std::set<uint32_t> generations;
  for (int i = 0; i < 1000; i++) {
    Connection& connection = slab.Take();
    CHECK_EQ(connection.index, 0);
    CHECK(generations.insert(connection.generation).second);
    slab.Give(connection);
  }
  CHECK_EQ(slab.in_use(), 0);
}

TEST(HandsOutEachOnce, "no place is handed out twice, in any order of taking and giving") {
  std::mt19937_64 random(1);
  ConnectionSlab slab;
  std::vector<Connection*> taken;
  std::set<uint32_t> indices;
  for (int i = 0; i < 50'000; i++) {
    if (taken.empty() || random() % 5 < 3) {
      Connection& connection = slab.Take();
      CHECK(indices.insert(connection.index).second);
      CHECK(&slab[connection.index] == &connection);
      connection.phase = Phase::kRouting;
      taken.push_back(&connection);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      indices.erase(taken.back()->index);
      slab.Give(*taken.back());
      CHECK(taken.back()->phase == Phase::kFree);
      taken.pop_back();
    }
    CHECK_EQ(slab.in_use(), taken.size());
  }
}

TEST(FindsItsConnection, "a connection is found from its timer") {
  ConnectionSlab slab;
  Connection& connection = slab.Take();
  CHECK(&Connection::OfTimer(connection.timer) == &connection);
}

}  // namespace edgeproxy::test
