// A user's program: only public headers, only what find_package(tarmac) gives.
#include <tarmac/contract.h>
#include <tarmac/tensor.h>

#include <cstdio>
#include <vector>

int main() {
  const tarmac::Tensor tensor = tarmac::Tensor::from({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  if (tensor.shape() != tarmac::Shape{2, 3}) return 1;

  // A missing contract is an error value that says so, not an exception.
  const auto contract = tarmac::load_contract("no/such/deploy.yaml");
  if (contract.ok()) return 1;
  std::printf("tarmac is linked; %s\n", contract.error().message.c_str());
  return 0;
}
