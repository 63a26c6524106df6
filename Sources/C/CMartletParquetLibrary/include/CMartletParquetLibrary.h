#pragma once
/* Nothing to call by name: `CMartletParquet` opens the library and asks for its doors. */
