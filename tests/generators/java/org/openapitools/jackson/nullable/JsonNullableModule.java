package org.openapitools.jackson.nullable;

import com.fasterxml.jackson.databind.module.SimpleModule;

/** As in jackson-databind-nullable. */
public class JsonNullableModule extends SimpleModule {}
