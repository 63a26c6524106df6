#include "CMartletZstd.h"
