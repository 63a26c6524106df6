#include "CMartletCrypto.h"
