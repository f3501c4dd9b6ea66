#include "base/progress.h"

namespace tarmac {

Progress& no_progress() {
  static Progress silent;
  return silent;
}

}  // namespace tarmac
